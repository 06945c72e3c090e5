"""AWP: adversarial training at weights that are perturbed adversarially as well.

Source: Wu et al. 2020 and its code: gamma 0.01 from the first epoch on (PreAct
ResNet-18, CIFAR-10). Differs: as `pgd_at` does. What stays under ``--recipe
as_released``: an epoch's first attack, from the second epoch on, is in train mode
(there in eval mode).
"""

from dataclasses import dataclass, replace

from rofit.methods import pgd_at
from rofit.methods.method import Context, Method
from rofit.settings.knobs import Knobs, knob
from rofit.weights.perturbation import Perturbation

BRINGS = frozenset({"perturbation"})
AS_RELEASED = pgd_at.AS_RELEASED  # the code goes on from Rice et al.'s


@dataclass(frozen=True)
class Params(Knobs):
    """How far weights are moved, and from when on."""

    awp_gamma: float = knob(
        0.01, "perturbation over the weights' norm (AWP)", low=0, high=100
    )
    awp_start: float = knob(
        0.0, "fraction of the run without perturbation (AWP)", low=0, high=1
    )


def build(params: Params, context: Context) -> Method:
    """Return min_w mean_i max_v CE(y_i, f(x_i'; w + v)), ||v_l|| = gamma ||w_l||."""
    perturbation = Perturbation(context.model, params.awp_gamma, start=params.awp_start)
    return replace(pgd_at.build(pgd_at.Params(), context), perturbation=perturbation)
