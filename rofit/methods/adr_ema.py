"""ADR, evaluated at the moving average of the weights.

Source: Wu et al. 2024 and its code, where it is called WA and is the teacher itself:
here an average of its own, which is the teacher's while the two decays are equal.
Differs: as `adr` does.
"""

from dataclasses import dataclass, replace

from rofit.methods import adr, weight_ema
from rofit.methods.method import Context, Method

BRINGS = frozenset({"labels", "average"})
AS_RELEASED = adr.AS_RELEASED


@dataclass(frozen=True)
class Params(adr.Params, weight_ema.Params):
    """The settings of both."""


def build(params: Params, context: Context) -> Method:
    """Return ADR whose evaluated weights are a moving average."""
    average = weight_ema.build(params, context).average
    return replace(adr.build(params, context), average=average)
