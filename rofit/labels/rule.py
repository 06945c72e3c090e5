"""The calls that a step makes to a label rule, and what they do by default."""

from typing import Any

from torch import Tensor, nn


class LabelRule:
    """Which distribution over classes each training image is trained on.

    A step calls in this order: `begin_step`, `prepare`, the attack, `attacked`,
    `refine`, the optimizer's step, `after_step`. A rule overrides what it needs;
    `current` it must.

    On a GPU all of a step but `begin_step` is captured as a graph and repeated without
    Python: what a rule changes in there must be a tensor, changed in place. Plain
    values change in `begin_epoch` only.

    Attributes:
        reads_clean: whether `refine` needs the predictions on the clean inputs.
    """

    reads_clean: bool = False

    @property
    def tables(self) -> list[Tensor]:
        """Tensors with a row an image, (N, ...), that `prepare` or `attacked` change.

        Each at the rows of its images only: where several processes have a part of the
        batch, they exchange these rows. What `refine` changes is not among them, as it
        has the whole batch on every process.
        """
        return []

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Prepare for an epoch (counted from 0)."""

    def begin_step(self, progress: float) -> None:
        """Take the share of the run's steps that are done, in [0, 1).

        What depends on it is a tensor, filled here.
        """

    def prepare(self, network: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> None:
        """Update from the clean inputs, before the attack.

        Args:
            network: the one in training, in eval mode.
            x: clean inputs (B, C, H, W), augmented.
            y: given classes (B,).
            index: positions in the training set (B,), without repetition.
        """

    def attacked(self, x_adv: Tensor, index: Tensor) -> None:
        """Update from the adversarial inputs (B, C, H, W)."""

    def current(self, index: Tensor, y: Tensor) -> Tensor:
        """Return the labels as they stand, (B, K), each row summing to one."""
        raise NotImplementedError

    def unmixed(self, index: Tensor, y: Tensor) -> Tensor:
        """Return the labels of images that are not mixed with others, (B, K)."""
        return self.current(index, y)

    def refine(
        self, index: Tensor, y: Tensor, logits_adv: Tensor, logits_clean: Tensor | None
    ) -> Tensor:
        """Update from this step's predictions, then return the labels to train on.

        Args:
            index: positions in the training set (B,), without repetition.
            y: given classes (B,).
            logits_adv: (B, K) on the adversarial inputs, train mode, detached.
            logits_clean: (B, K) on the clean inputs, train mode, where read.
        """
        return self.current(index, y)

    def after_step(self) -> None:
        """Update after the optimizer's step."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must keep."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
