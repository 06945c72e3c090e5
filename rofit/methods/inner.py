"""The inner maximisation: what adversarial inputs maximise, and from where.

max_{x' in ball(x)} loss(f(x'), labels), by steepest ascent from x + start
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rofit.attacks import geometry
from rofit.attacks.geometry import Start
from rofit.attacks.pgd import PGD, Labels, Loss, Network
from rofit.labels.rule import LabelRule
from rofit.losses import cross_entropy, soft_cross_entropy


@dataclass(frozen=True)
class CleanBatch:
    """A step's images before the attack, the network and the label rule.

    Attributes:
        network: what the attack climbs on; in eval mode, or as attack_bn says.
        rule: assigns the training labels.
        x: clean inputs (B, C, H, W), augmented.
        y: given classes (B,).
        index: positions in the training set (B,).
    """

    network: Network
    rule: LabelRule
    x: Tensor
    y: Tensor
    index: Tensor


def given_labels(clean: CleanBatch) -> Tensor:
    """Return the given classes (B,)."""
    return clean.y


def assigned_labels(clean: CleanBatch) -> Tensor:
    """Return the label rule's labels as they stand, (B, K)."""
    return clean.rule.current(clean.index, clean.y)


def clean_prediction(clean: CleanBatch) -> Tensor:
    """Return the network's logits on the clean inputs, (B, K), detached."""
    with torch.no_grad():
        return clean.network(clean.x)


# Whose cross entropy the attack maximises, by the words of the setting attack_labels.
ATTACK_LABELS: dict[str, tuple[Loss, Callable[[CleanBatch], Labels]]] = {
    "given": (cross_entropy, given_labels),
    "assigned": (soft_cross_entropy, assigned_labels),
}


@dataclass(frozen=True)
class InnerMaximisation:
    """A loss, what it compares predictions with, and the attack that climbs on it.

    One that changes during the run, or remembers, overrides what it needs. As in a
    label rule, what changes is a tensor, changed in place: a captured step reads it.

    Attributes:
        attack: how it is climbed: PGD's ball, steps and BatchNorm mode. None leaves the
            inputs clean.
        loss: is maximised; the default is Madry's, with the given classes.
        labels: what the loss compares with, fixed while the attack climbs.
        start: draws the perturbation that the attack begins with: uniform in the ball,
            or `geometry.gaussian_start`.
    """

    attack: PGD | None
    loss: Loss = cross_entropy
    labels: Callable[[CleanBatch], Labels] = given_labels
    start: Start = geometry.start

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Prepare for an epoch (counted from 0)."""

    def begin_step(self, step: int) -> None:
        """Prepare for a step of the epoch (counted from 0); not captured."""

    def maximise(self, clean: CleanBatch, start: Tensor) -> Tensor:
        """Return the inputs to train on, (B, C, H, W), from x + start."""
        if self.attack is None:
            return clean.x
        labels = self.labels(clean)
        return self.attack(clean.network, clean.x, self.loss, labels, start)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must keep."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
