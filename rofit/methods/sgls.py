"""SGLS: labels are the moving average of the network's own predictions.

Source: the authors' first release of SGLR (SGLS, 2023), the only variant whose code is
known; one update a step, after the warm-up, by 0.2 clean and 0.8 adversarial
prediction, both in train mode. The table is updated first, then trained on, in a step.
"""

from dataclasses import dataclass

from rofit.labels.self_guided import SelfGuided
from rofit.methods.inner import ATTACK_LABELS, InnerMaximisation
from rofit.methods.method import Context, Method, soft_label_objective
from rofit.settings.knobs import Knobs, knob

BRINGS = frozenset({"labels"})
AS_RELEASED = {"val_size": 0, "normalise": False, "drops": (0.495, 0.745)}


@dataclass(frozen=True)
class Labels(Knobs):
    """Settings of the label table: the source's values."""

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


@dataclass(frozen=True)
class Params(Labels):
    """The same, and the labels of the attack's loss."""

    attack_labels: str = knob(
        "given",
        "labels whose loss the attack maximises (SGLS)",
        choices=tuple(ATTACK_LABELS),
    )


def build(params: Params, context: Context) -> Method:
    """Return adversarial training on the label table (r = 1: nothing of y is kept)."""
    labels = label_table(params, context, r=1.0)
    inner = InnerMaximisation(context.attack, *ATTACK_LABELS[params.attack_labels])
    return Method(labels, inner, soft_label_objective)


def label_table(params: Labels, context: Context, *, r: float) -> SelfGuided:
    """Return the labels r p + (1 - r) y, p the table."""
    return SelfGuided(
        context.y,
        context.n_classes,
        r=r,
        momentum=params.label_momentum,
        clean_share=params.clean_share,
        start=params.start,
    )
