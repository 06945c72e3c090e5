"""ADR at adversarially perturbed weights, evaluated at their moving average.

Source: Wu et al. 2024 and its code; for what differs see `adr_awp`.
"""

from dataclasses import dataclass, replace

from rofit.methods import adr_awp, weight_ema
from rofit.methods.method import Context, Method

BRINGS = frozenset({"labels", "perturbation", "average"})
AS_RELEASED = adr_awp.AS_RELEASED


@dataclass(frozen=True)
class Params(adr_awp.Params, weight_ema.Params):
    """The settings of all three."""


def build(params: Params, context: Context) -> Method:
    """Return ADR with AWP whose evaluated weights are a moving average."""
    average = weight_ema.build(params, context).average
    return replace(adr_awp.build(params, context), average=average)
