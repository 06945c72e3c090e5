"""ADR at adversarially perturbed weights.

Source: Wu et al. 2024 and its code: temperature 2.5 to 1.5, share 0.7 to 0.85, gamma
0.005. Differs: the attack is in eval mode (there in train mode). What stays under
``--recipe as_released``: the perturbation is AWP's own (there, of every tensor, taken
off before the optimizer's step; and there BatchNorm's statistics see the weights
unperturbed), and the last, shorter batch is kept.
"""

from dataclasses import dataclass, replace

from rofit.methods import adr, awp
from rofit.methods.method import Context, Method
from rofit.settings.knobs import knob

BRINGS = frozenset({"labels", "perturbation"})
AS_RELEASED = {"val_size": 0, "attack_bn": "train"}


@dataclass(frozen=True)
class Params(adr.Params, awp.Params):
    """The settings of both, as ADR's code has them together."""

    adr_cool: float = knob(
        1.5, "temperature at last (ADR with AWP)", low=0.01, high=1000
    )
    adr_last: float = knob(0.85, "teacher's share at last (ADR)", low=0, high=1)
    awp_gamma: float = knob(
        0.005, "perturbation over the weights' norm (ADR)", low=0, high=100
    )


def build(params: Params, context: Context) -> Method:
    """Return ADR's objective at w + v, where v makes it worse."""
    perturbation = awp.build(params, context).perturbation
    return replace(adr.build(params, context), perturbation=perturbation)
