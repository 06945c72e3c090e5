"""PGD adversarial training on smoothed labels, the same for every epoch.

Source: Szegedy et al. 2016, section 7, for the labels. The smoothing that the SGLR
paper compares with is not known to us: rho = 0.1 is ours.
"""

from dataclasses import dataclass

from rofit.labels.fixed import Smoothed
from rofit.methods.inner import ATTACK_LABELS, InnerMaximisation
from rofit.methods.method import Context, Method, soft_label_objective
from rofit.settings.knobs import Knobs, knob

BRINGS = frozenset({"labels"})
MIXES = True


@dataclass(frozen=True)
class Params(Knobs):
    """Settings of label smoothing."""

    rho: float = knob(0.1, "mass spread over all classes (ours)", low=0, high=1)
    attack_labels: str = knob(
        "given", "labels whose loss the attack maximises", choices=tuple(ATTACK_LABELS)
    )


def build(params: Params, context: Context) -> Method:
    """Return adversarial training on (1 - rho) y + rho / K."""
    labels = Smoothed(context.n_classes, params.rho)
    inner = InnerMaximisation(context.attack, *ATTACK_LABELS[params.attack_labels])
    return Method(labels, inner, soft_label_objective)
