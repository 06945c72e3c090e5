"""PGD adversarial training: cross entropy of the given labels at PGD's examples.

Source: Madry et al. 2018, equation (2.1); settings of Rice et al. 2020 as RunSpec's
defaults.
"""

from dataclasses import dataclass

from torch import Tensor

from rofit.attacks.pgd import PGD
from rofit.knobs import Knobs
from rofit.labels.fixed import Smoothed
from rofit.methods.method import Method, soft_label_objective


@dataclass(frozen=True)
class Params(Knobs):
    """Nothing to set: attack and schedule are fields of the run."""


def build(params: Params, *, attack: PGD, y: Tensor, n_classes: int) -> Method:
    """Return min_w mean_i max_delta CE(y_i, f(x_i + delta; w))."""
    return Method(Smoothed(n_classes), attack, soft_label_objective)
