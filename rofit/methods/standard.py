"""Standard training: clean inputs, given labels, no attack."""

from dataclasses import dataclass

from rofit.labels.fixed import Smoothed
from rofit.methods.inner import InnerMaximisation
from rofit.methods.method import Context, Method, soft_label_objective
from rofit.settings.knobs import Knobs

BRINGS = frozenset({"attack"})


@dataclass(frozen=True)
class Params(Knobs):
    """Nothing to set."""


def build(params: Params, context: Context) -> Method:
    """Return empirical risk minimisation; the attack is left to the evaluation."""
    inner = InnerMaximisation(None)
    return Method(Smoothed(context.n_classes), inner, soft_label_objective)
