"""ARD: a robust teacher's prediction on the clean inputs is learnt at adversarial ones.

Source: Goldblum et al. 2020 and its code (`main.py`): temperature 30, the given label
without weight; the attack maximises the cross entropy with the given label. There the
divergence is a mean over classes (PyTorch's `KLDivLoss`), not their sum, and so it is
here. Differs: the schedule is the run's (there one drop, after 100 of 200 epochs, as
the one after 150 sets the same rate, and weight decay 2e-4), and the attack is in eval
mode (there in train mode) and begins inside [0, 1] (there outside where pixels are
saturated). What stays under ``--recipe as_released``: the teacher is a run of TRADES
that has the student's network and schedule (there WRN-34-10 as TRADES published it);
the clean batch passes the network first (there second), which BatchNorm's statistics
see; l2 is not in that code.
"""

from dataclasses import dataclass

from torch import Tensor

from rofit.labels.distilled import Distilled
from rofit.losses import cross_entropy, soft_divergence
from rofit.methods.inner import InnerMaximisation
from rofit.methods.method import Context, Method, StepOutputs
from rofit.settings.knobs import Knobs, knob

BRINGS = frozenset({"labels", "objective"})
AS_RELEASED = {
    "val_size": 0,
    "normalise": False,
    "attack_bn": "train",
    "start_clamp": False,
    "weight_decay": 2e-4,
    "drops": (0.5,),
}
# The run that must be there: its method, and which of its checkpoints teaches.
TEACHERS = {"robust": ("trades", "best")}


@dataclass(frozen=True)
class Params(Knobs):
    """Temperature, and how much the teacher counts."""

    ard_temperature: float = knob(
        30.0, "of teacher and student (ARD)", low=0.01, high=1000
    )
    ard_share: float = knob(
        1.0, "of the distillation; the rest is the given label's (ARD)", low=0, high=1
    )


def build(params: Params, context: Context) -> Method:
    """Return a T^2 / K KL(t(x) || f(x')) + (1 - a) CE(y, f(x)), the first both at T."""
    temperature = params.ard_temperature
    labels = Distilled(
        context.y,
        context.n_classes,
        [(context.teachers["robust"], 1.0)],
        temperature,
        on_clean=True,
    )
    weight = params.ard_share * temperature**2 / context.n_classes

    def objective(outputs: StepOutputs) -> dict[str, Tensor]:
        assert outputs.clean is not None
        divergence = soft_divergence(outputs.logits / temperature, outputs.soft)
        given = cross_entropy(outputs.clean, outputs.y)
        return {
            "distillation": weight * divergence,
            "cross_entropy": (1 - params.ard_share) * given,
        }

    return Method(
        labels, InnerMaximisation(context.attack), objective, learns_clean=True
    )
