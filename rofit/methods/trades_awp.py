"""TRADES at adversarially perturbed weights.

Source: Wu et al. 2020 and its code: gamma 0.005 from epoch 10 of 200 on (counted from
1), beta 6. Differs: as `trades` does, but for radius and step. What stays under
``--recipe as_released``: BatchNorm's statistics see the clean, the adversarial, the
clean batch (there the adversarial one first); in l2, as for `trades`.
"""

from dataclasses import dataclass, replace

from rofit.methods import awp, trades
from rofit.methods.method import Context, Method
from rofit.settings.knobs import knob

BRINGS = frozenset({"objective", "perturbation"})
MIXES = True
AS_RELEASED = {
    "val_size": 0,
    "normalise": False,
    "start_clamp": False,
    "extra_passes": ("clean",),
    "drops": (0.495, 0.745),  # its epochs count from 1
}


@dataclass(frozen=True)
class Params(trades.Params, awp.Params):
    """The settings of both, with AWP's as its code has them for TRADES."""

    awp_gamma: float = knob(
        0.005, "perturbation over the weights' norm (AWP)", low=0, high=100
    )
    awp_start: float = knob(
        0.045, "fraction of the run without perturbation (AWP)", low=0, high=1
    )


def build(params: Params, context: Context) -> Method:
    """Return TRADES' objective at w + v, where v makes the same objective worse."""
    perturbation = awp.build(params, context).perturbation
    return replace(trades.build(params, context), perturbation=perturbation)
