"""PGD adversarial training: cross entropy of the given labels at PGD's examples.

Source: Madry et al. 2018, equation (2.1); settings of Rice et al. 2020 as RunSpec's
defaults.
"""

from dataclasses import dataclass

from rofit.labels.fixed import Smoothed
from rofit.methods.inner import InnerMaximisation
from rofit.methods.method import Context, Method, soft_label_objective
from rofit.settings.knobs import Knobs

BRINGS: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Params(Knobs):
    """Nothing to set: attack and schedule are fields of the run."""


def build(params: Params, context: Context) -> Method:
    """Return min_w mean_i max_delta CE(y_i, f(x_i + delta; w))."""
    inner = InnerMaximisation(context.attack)
    return Method(Smoothed(context.n_classes), inner, soft_label_objective)
