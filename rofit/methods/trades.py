"""TRADES: cross entropy on clean inputs, and a smooth prediction around them.

Source: Zhang et al. 2019 and its code: the attack climbs on the divergence from the
clean prediction, from 0.001 N(0, 1), in eval mode; gradients go through both
predictions; the clean batch passes the network first. Differs: step and radius (there
0.007 inside 0.031) and schedule are the run's; there the clean batch passes the network
twice in train mode, once for each term, so that BatchNorm's statistics take three
batches a step (here two); an attack begins outside of [0, 1] where pixels are saturated
(here inside). What stays under ``--recipe as_released``: in l2, of which the code has
no run, a point is clamped to [0, 1] before it is projected (here after), and a step is
a fifth of the radius.
"""

from dataclasses import dataclass

from torch import Tensor

from rofit.attacks.geometry import gaussian_start
from rofit.labels.fixed import Smoothed
from rofit.losses import divergence, soft_cross_entropy
from rofit.methods.inner import InnerMaximisation, clean_prediction
from rofit.methods.method import Context, Method, StepOutputs
from rofit.settings.knobs import Knobs, knob

BRINGS = frozenset({"objective"})
MIXES = True
AS_RELEASED = {
    "val_size": 0,
    "normalise": False,
    "epsilon": 0.031,
    "step_size": 0.007,
    "start_clamp": False,
    "extra_passes": ("clean",),
    "epochs": 76,
    "weight_decay": 2e-4,
    "drops": (74 / 76,),  # its epochs count from 1: the 75th has the lower rate
}


@dataclass(frozen=True)
class Params(Knobs):
    """The weight of robustness."""

    beta: float = knob(
        6.0, "weight of the divergence (1 / lambda; TRADES)", low=0, high=1e6
    )


def build(params: Params, context: Context) -> Method:
    """Return min_w mean_i CE(y_i, f(x_i)) + beta max_delta KL(f(x_i) || f(x_i'))."""

    def objective(outputs: StepOutputs) -> dict[str, Tensor]:
        assert outputs.clean is not None
        return {
            "cross_entropy": soft_cross_entropy(outputs.clean, outputs.soft),
            "divergence": params.beta * divergence(outputs.logits, outputs.clean),
        }

    inner = InnerMaximisation(
        context.attack, divergence, clean_prediction, start=gaussian_start
    )
    return Method(Smoothed(context.n_classes), inner, objective, learns_clean=True)
