"""Standard training: clean inputs, given labels, no attack."""

from dataclasses import dataclass

from torch import Tensor

from rofit.attacks.pgd import PGD
from rofit.knobs import Knobs
from rofit.labels.fixed import Smoothed
from rofit.methods.method import Method, soft_label_objective


@dataclass(frozen=True)
class Params(Knobs):
    """Nothing to set."""


def build(params: Params, *, attack: PGD, y: Tensor, n_classes: int) -> Method:
    """Return empirical risk minimisation; the attack is left to the evaluation."""
    return Method(Smoothed(n_classes), None, soft_label_objective)
