"""A method is the min-max problem by its parts: labels, attack, objective."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from rofit.attacks.pgd import PGD, Network
from rofit.losses import cross_entropy, soft_cross_entropy

# (logits (B, K), soft (B, K)) -> terms by name, each (B,). The loss is the sum of the
# terms' means over the batch.
Objective = Callable[[Tensor, Tensor], dict[str, Tensor]]


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


ATTACK_LABELS = ("given", "assigned")


@dataclass
class Method:
    """How a batch becomes a loss.

    Attributes:
        labels: assigns and refines the training labels.
        attack: finds adversarial inputs; None trains on the clean ones.
        objective: terms of the loss on the logits of what the network was shown.
        attack_labels: the attack maximises the cross entropy with the ``given`` classes
            or with the ``assigned`` labels.
    """

    labels: LabelRule
    attack: PGD | None
    objective: Objective
    attack_labels: str = "given"

    def maximise(
        self, model: Network, x: Tensor, y: Tensor, index: Tensor, start: Tensor
    ) -> Tensor:
        """Return the inputs to train on, (B, C, H, W): the inner maximisation."""
        if self.attack is None:
            return x
        if self.attack_labels == "given":
            return self.attack(model, x, cross_entropy, y, start)
        soft = self.labels.current(index, y)
        return self.attack(model, x, soft_cross_entropy, soft, start)


def soft_label_objective(logits: Tensor, soft: Tensor) -> dict[str, Tensor]:
    """Return the cross entropy with the labels, the one term of most methods."""
    return {"cross_entropy": soft_cross_entropy(logits, soft)}
