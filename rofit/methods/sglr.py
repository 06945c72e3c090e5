"""SGLR by our reading: refined labels that keep a share of the given one.

The paper's abstract and public summaries give the form, label = r f(x') + (1 - r) y
with an average over past predictions; they do not give r, momentum, warm-up or loss.
Those below are the first release's (SGLS) where it has them and ours where not.
"""

from dataclasses import dataclass

from torch import Tensor

from rofit.attacks.pgd import PGD
from rofit.knobs import knob
from rofit.labels.self_guided import SelfGuided
from rofit.methods import sgls
from rofit.methods.method import (
    Method,
    Objective,
    soft_label_objective,
    symmetric_objective,
)


@dataclass(frozen=True)
class Params(sgls.Params):
    """The settings of SGLS, and those that are ours."""

    r: float = knob(0.8, "share of the refined label (ours)", low=0, high=1)
    objective: str = knob(
        "ce", "cross entropy or its symmetric form (ours: ce)", choices=("ce", "sce")
    )
    sce_forward: float = knob(0.1, "weight of CE(label, p) in sce (Wang 2019)", low=0)
    sce_reverse: float = knob(1.0, "weight of CE(p, label) in sce (Wang 2019)", low=0)


def build(params: Params, *, attack: PGD, y: Tensor, n_classes: int) -> Method:
    """Return adversarial training on r p + (1 - r) y, p the label table."""
    labels = SelfGuided(
        y,
        n_classes,
        r=params.r,
        momentum=params.label_momentum,
        clean_share=params.clean_share,
        start=params.start,
    )
    objective: Objective = soft_label_objective
    if params.objective == "sce":
        objective = symmetric_objective(params.sce_forward, params.sce_reverse)
    return Method(labels, attack, objective, params.attack_labels)
