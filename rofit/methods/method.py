"""A method is the min-max problem by its parts: labels, attack, objective."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from rofit.attacks.pgd import PGD, Network
from rofit.losses import (
    cross_entropy,
    divergence,
    reverse_cross_entropy,
    soft_cross_entropy,
)


@dataclass(frozen=True)
class Seen:
    """What one step's network said, and what it should have.

    Attributes:
        logits: on the inputs that the attack found (clean ones without an attack), with
            gradients, (B, K).
        clean: on the clean inputs, with gradients, for methods that learn from them.
        soft: labels to train on, (B, K).
        y: given classes, (B,).
    """

    logits: Tensor
    clean: Tensor | None
    soft: Tensor
    y: Tensor


# Terms by name, each (B,). The loss is the sum of the terms' means over the batch.
Objective = Callable[[Seen], dict[str, Tensor]]


class LabelRule(Protocol):
    """Which distribution over classes each training image is trained on."""

    @property
    def reads_clean(self) -> bool:
        """Whether ``refine`` needs the predictions on the clean inputs."""

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Hear that an epoch begins (counted from 0)."""

    def current(self, index: Tensor, y: Tensor) -> Tensor:
        """Return the labels as they stand: (B,), (B,) -> (B, K)."""

    def refine(
        self, index: Tensor, y: Tensor, logits_adv: Tensor, logits_clean: Tensor | None
    ) -> Tensor:
        """Look at this step's predictions, then return the labels to train on."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must keep."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take it back."""


# The attack maximises the cross entropy with the given classes or with the assigned
# labels, or the divergence from the network's own prediction on the clean input.
ATTACK_LABELS = ("given", "assigned")
TARGETS = (*ATTACK_LABELS, "prediction")


@dataclass
class Method:
    """How a batch becomes a loss.

    Attributes:
        labels: assigns and refines the training labels.
        attack: finds adversarial inputs; None trains on the clean ones.
        objective: terms of the loss on what the network was shown.
        attack_labels: what the attack moves away from, one of TARGETS.
        start: of the attack: ``ball`` (uniform in it), or ``near`` (0.001 N(0, 1)).
        learns_clean: whether the objective needs the clean inputs' logits as well.
    """

    labels: LabelRule
    attack: PGD | None
    objective: Objective
    attack_labels: str = "given"
    start: str = "ball"
    learns_clean: bool = False

    def terms(
        self, logits: Tensor, clean: Tensor | None, soft: Tensor, y: Tensor
    ) -> dict[str, Tensor]:
        """Return the terms of the loss, each (B,), of a step's `Seen`."""
        return self.objective(Seen(logits, clean, soft, y))

    def maximise(
        self, model: Network, x: Tensor, y: Tensor, index: Tensor, start: Tensor
    ) -> Tensor:
        """Return the inputs to train on, (B, C, H, W): the inner maximisation."""
        if self.attack is None:
            return x
        if self.attack_labels == "given":
            return self.attack(model, x, cross_entropy, y, start)
        if self.attack_labels == "prediction":
            with torch.no_grad():
                origin = model(x)
            return self.attack(model, x, divergence, origin, start)
        soft = self.labels.current(index, y)
        return self.attack(model, x, soft_cross_entropy, soft, start)


def soft_label_objective(seen: Seen) -> dict[str, Tensor]:
    """Return the cross entropy with the labels, the one term of most methods."""
    return {"cross_entropy": soft_cross_entropy(seen.logits, seen.soft)}


def symmetric_objective(forward: float, reverse: float) -> Objective:
    """Return ``forward CE(label, p) + reverse CE(p, label)``.

    Source: Wang et al. 2019; label probabilities from 1e-4 up, as in its code.
    """

    def symmetric(seen: Seen) -> dict[str, Tensor]:
        backward = reverse_cross_entropy(seen.logits, seen.soft)
        return {
            "cross_entropy": forward * soft_cross_entropy(seen.logits, seen.soft),
            "reverse": reverse * backward,
        }

    return symmetric
