"""MART: TRADES' smoothness where the clean prediction is wrong, and a boosted loss.

Source: Wang et al. 2020 and its code: the constants that keep the logarithm and the
weight finite, the attack on cross entropy from 0.001 N(0, 1). Beta is that of its
ResNet-18. Differs: radius, step and schedule are the run's (there 0.031, 0.007, 120
epochs, lr 0.01, weight decay 3.5e-3), and an attack begins inside [0, 1] (there outside
where pixels are saturated). Nothing of it stays under ``--recipe as_released``.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from rofit.attacks.geometry import gaussian_start
from rofit.labels.fixed import Smoothed
from rofit.losses import divergence, soft_cross_entropy
from rofit.methods.inner import InnerMaximisation
from rofit.methods.method import Context, Method, StepOutputs
from rofit.settings.knobs import Knobs, knob

BRINGS = frozenset({"objective"})
AS_RELEASED = {
    "val_size": 0,
    "normalise": False,
    "epsilon": 0.031,
    "step_size": 0.007,
    "start_clamp": False,
    "epochs": 120,
    "lr": 0.01,
    "weight_decay": 3.5e-3,
    "drops": (74 / 120, 89 / 120, 99 / 120),  # its epochs count from 1
}


@dataclass(frozen=True)
class Params(Knobs):
    """The weight of robustness."""

    beta: float = knob(
        5.0, "weight of the divergence (MART, ResNet-18)", low=0, high=1e6
    )


def build(params: Params, context: Context) -> Method:
    """Return mean_i BCE(f(x_i'), y_i) + beta KL(f(x_i) || f(x_i')) (1 - f_y(x_i))."""

    def objective(outputs: StepOutputs) -> dict[str, Tensor]:
        assert outputs.clean is not None
        right = F.one_hot(outputs.y, context.n_classes).bool()
        p, p_adv = outputs.clean.softmax(dim=1), outputs.logits.softmax(dim=1)
        highest = p_adv.masked_fill(right, 0.0).amax(dim=1)
        unsure = 1.0000001 - p.masked_fill(~right, 0.0).sum(dim=1)
        return {
            "cross_entropy": soft_cross_entropy(outputs.logits, outputs.soft),
            "margin": -torch.log(1.0001 - highest),
            "divergence": params.beta
            * unsure
            * divergence(outputs.logits, outputs.clean),
        }

    inner = InnerMaximisation(context.attack, start=gaussian_start)
    return Method(Smoothed(context.n_classes), inner, objective, learns_clean=True)
