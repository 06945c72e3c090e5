"""Adversarial training, evaluated at the moving average of the weights.

Source: the weight average of Wu et al. 2024 (ADR): decay 0.995 a step, of all state;
baselines elsewhere use 0.999. Differs: as `adr` does.
"""

from dataclasses import dataclass, replace

from rofit.methods import pgd_at
from rofit.methods.method import Context, Method
from rofit.settings.knobs import Knobs, knob
from rofit.weights.averages import MovingAverage

BRINGS = frozenset({"average"})
AS_RELEASED = {"val_size": 0, "attack_bn": "train", "nesterov": True}  # ADR's code


@dataclass(frozen=True)
class Params(Knobs):
    """How slowly the average moves."""

    ema_decay: float = knob(
        0.995, "of the averaged weights a step (ADR)", low=0, high=1
    )


def build(params: Params, context: Context) -> Method:
    """Return adversarial training whose evaluated weights are e <- d e + (1 - d) w."""
    average = MovingAverage(context.model, params.ema_decay)
    return replace(pgd_at.build(pgd_at.Params(), context), average=average)
