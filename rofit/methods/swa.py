"""SWA: adversarial training, evaluated at the mean of the weights of its later epochs.

Source: Izmailov et al. 2018; in adversarial training Chen et al. 2021, whose code
averages from epoch 55 of 200 on. Differs: the schedule of the learning rate is the
run's (the source drops it at 50 and 150 of 200), and the attack is in eval mode (there
in train mode). What stays under ``--recipe as_released``: starts in l2, as for `kd`.
"""

from dataclasses import dataclass, replace

from rofit.methods import pgd_at
from rofit.methods.method import Context, Method
from rofit.settings.knobs import Knobs, knob
from rofit.weights.averages import EqualAverage

BRINGS = frozenset({"average"})
AS_RELEASED = {"val_size": 5000, "attack_bn": "train", "drops": (0.25, 0.75)}


@dataclass(frozen=True)
class Params(Knobs):
    """From when on weights are averaged."""

    swa_start: float = knob(
        0.275, "fraction of the run that is not averaged (Chen 2021)", low=0, high=1
    )


def build(params: Params, context: Context) -> Method:
    """Return adversarial training whose evaluated weights are a mean over epochs."""
    average = EqualAverage(context.model, params.swa_start, context.precision)
    return replace(pgd_at.build(pgd_at.Params(), context), average=average)
