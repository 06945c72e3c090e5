"""SGLS: labels are the moving average of the network's own predictions.

Source: the authors' first release of SGLR (SGLS, 2023), the only variant whose code is
known; one update a step, after the warm-up, by 0.2 clean and 0.8 adversarial
prediction, both in train mode. The table is updated first, then trained on, in a step.
"""

from dataclasses import dataclass

from torch import Tensor

from rofit.attacks.pgd import PGD
from rofit.knobs import Knobs, knob
from rofit.labels.self_guided import SelfGuided
from rofit.methods.method import ATTACK_LABELS, Method, soft_label_objective


@dataclass(frozen=True)
class Params(Knobs):
    """Settings of SGLS: the source's values."""

    label_momentum: float = knob(
        0.9, "of the moving average of predictions (SGLS)", low=0, high=1
    )
    clean_share: float = knob(
        0.2, "of the clean prediction in the average (SGLS)", low=0, high=1
    )
    # The source refines from epoch 90 of 200 on, its epochs being counted from 1.
    start: float = knob(
        0.445, "fraction of the run trained on given labels (SGLS)", low=0, high=1
    )
    attack_labels: str = knob(
        "given", "labels whose loss the attack maximises (SGLS)", choices=ATTACK_LABELS
    )


def build(params: Params, *, attack: PGD, y: Tensor, n_classes: int) -> Method:
    """Return adversarial training on the label table (r = 1: nothing of y is kept)."""
    labels = SelfGuided(
        y,
        n_classes,
        r=1.0,
        momentum=params.label_momentum,
        clean_share=params.clean_share,
        start=params.start,
    )
    return Method(labels, attack, soft_label_objective, params.attack_labels)
