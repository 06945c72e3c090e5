"""Adversarial training on the symmetric cross entropy.

Source: Wang et al. 2019 for the loss, with its code's weights on CIFAR-10 at 40 %
symmetric noise; that it is taken at PGD's examples is ours.
"""

from dataclasses import dataclass

from torch import Tensor

from rofit.attacks.pgd import PGD
from rofit.knobs import Knobs, knob
from rofit.labels.fixed import Smoothed
from rofit.methods.method import Method, symmetric_objective


@dataclass(frozen=True)
class Params(Knobs):
    """The two weights."""

    sce_forward: float = knob(0.1, "weight of CE(label, p) (Wang 2019)", low=0)
    sce_reverse: float = knob(1.0, "weight of CE(p, label) (Wang 2019)", low=0)


def build(params: Params, *, attack: PGD, y: Tensor, n_classes: int) -> Method:
    """Return adversarial training on a CE(y, f(x')) + b CE(f(x'), y)."""
    objective = symmetric_objective(params.sce_forward, params.sce_reverse)
    return Method(Smoothed(n_classes), attack, objective)
