"""MLCAT by weight perturbation: weights move to where small losses are larger.

Source: Yu et al. 2022 and its code: ten ascents on examples of loss below 1.5
(CIFAR-10), 0.01 of the norm of all weights, from the first epoch on. Differs: as
`pgd_at` does, but that the code makes no clean pass. What stays under ``--recipe
as_released``: an epoch's first attack, from the second epoch on, is in train mode
(there in eval mode).
"""

from dataclasses import dataclass, replace

from rofit.methods import pgd_at
from rofit.methods.method import Context, Method
from rofit.settings.knobs import Knobs, knob
from rofit.weights.perturbation import Perturbation

BRINGS = frozenset({"perturbation"})
MIXES = False  # the least loss of two classes at once is no sign of memory
AS_RELEASED = pgd_at.AS_RELEASED | {"extra_passes": ("adversarial",)}


@dataclass(frozen=True)
class Params(Knobs):
    """How far weights are moved, by which examples, in how many steps."""

    wp_floor: float = knob(
        1.5, "only losses below it count, in nats (MLCAT)", low=0, high=1e6
    )
    wp_gamma: float = knob(
        0.01, "perturbation over the weights' norm (MLCAT)", low=0, high=100
    )
    wp_ascents: int = knob(
        10, "gradients that make the perturbation (MLCAT)", low=1, high=1000
    )


def build(params: Params, context: Context) -> Method:
    """Return adversarial training at w + v, ||v|| = gamma ||w||, for small losses."""
    perturbation = Perturbation(
        context.model,
        params.wp_gamma,
        ascents=params.wp_ascents,
        below=params.wp_floor,
        by_tensor=False,
    )
    return replace(pgd_at.build(pgd_at.Params(), context), perturbation=perturbation)
