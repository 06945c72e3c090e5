"""KD+SWA: self-distillation, evaluated at the mean of later epochs' weights.

Source: Chen et al. 2021 and its code; for what differs see `kd` and `swa`.
"""

from dataclasses import dataclass, replace

from rofit.methods import kd, swa
from rofit.methods.method import Context, Method

BRINGS = frozenset({"labels", "objective", "average"})
AS_RELEASED = kd.AS_RELEASED
TEACHERS = kd.TEACHERS


@dataclass(frozen=True)
class Params(kd.Params, swa.Params):
    """The settings of both."""


def build(params: Params, context: Context) -> Method:
    """Return distillation whose evaluated weights are a mean over epochs."""
    average = swa.build(params, context).average
    return replace(kd.build(params, context), average=average)
