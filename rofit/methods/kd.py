"""KD: self-distillation from a standard and an adversarial twin of the same network.

Source: Chen et al. 2021 and its code: T 2, weights 0.3 for the given label, 0.1 for the
standard and 0.6 for the adversarial teacher; all see the adversarial input; the attack
maximises the cross entropy with the given label. Differs: the learning rate is the
run's (there it drops at 50 and 150 of 200), and the attack is in eval mode (there in
train mode). What stays under ``--recipe as_released``: the standard teacher is the last
checkpoint of its run (there, its best on clean images); starts in l2 are uniform in the
ball (there, another image, projected).
"""

from dataclasses import dataclass

from torch import Tensor

from rofit.labels.distilled import Distilled
from rofit.losses import cross_entropy, soft_cross_entropy
from rofit.methods.inner import InnerMaximisation
from rofit.methods.method import Context, Method, StepOutputs
from rofit.settings.knobs import Knobs, knob

BRINGS = frozenset({"labels", "objective"})
AS_RELEASED = {"val_size": 5000, "attack_bn": "train", "drops": (0.25, 0.75)}
# Runs that must be there: the method of each, and which of its checkpoints teaches.
TEACHERS = {"clean": ("standard", "last"), "robust": ("pgd_at", "best")}


@dataclass(frozen=True)
class Params(Knobs):
    """Temperature and the three weights."""

    kd_temperature: float = knob(
        2.0, "of all predictions (Chen 2021)", low=0.01, high=1000
    )
    kd_given: float = knob(
        0.3, "weight of the given label (Chen 2021)", low=0, high=1e6
    )
    kd_clean: float = knob(
        0.1, "weight of the standard teacher (Chen 2021)", low=0, high=1e6
    )
    kd_robust: float = knob(
        0.6, "weight of the robust teacher (Chen 2021)", low=0, high=1e6
    )


def build(params: Params, context: Context) -> Method:
    """Return a CE(y, f(x')) + T^2 sum_j b_j CE(t_j(x') / T, f(x') / T)."""
    weights = {"clean": params.kd_clean, "robust": params.kd_robust}
    labels = Distilled(
        context.y,
        context.n_classes,
        [(context.teachers[name], weight) for name, weight in weights.items()],
        params.kd_temperature,
    )
    distilled_weight = params.kd_temperature**2 * sum(weights.values())

    def objective(outputs: StepOutputs) -> dict[str, Tensor]:
        cool = outputs.logits / params.kd_temperature
        return {
            "cross_entropy": params.kd_given * cross_entropy(outputs.logits, outputs.y),
            "distillation": distilled_weight * soft_cross_entropy(cool, outputs.soft),
        }

    return Method(labels, InnerMaximisation(context.attack), objective)
