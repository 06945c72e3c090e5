"""Labels that training does not change: one-hot and smoothed."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor


class Smoothed:
    """``(1 - rho) y + rho / K``: the same for every epoch; ``rho = 0`` is one-hot.

    Source: Szegedy et al. 2016, section 7 (the form in which the wrong classes and the
    given one all receive rho / K).
    """

    reads_clean = False

    def __init__(self, n_classes: int, rho: float = 0.0) -> None:
        """Smooth over *n_classes* classes by rho in [0, 1]."""
        self.n_classes = n_classes
        self.rho = rho

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Nothing changes over epochs."""

    def current(self, index: Tensor, y: Tensor) -> Tensor:
        """Return the labels (B, K) of classes y (B,)."""
        hard = F.one_hot(y, self.n_classes).float()
        return (1 - self.rho) * hard + self.rho / self.n_classes

    def refine(
        self, index: Tensor, y: Tensor, logits_adv: Tensor, logits_clean: Tensor | None
    ) -> Tensor:
        """Return ``current``: predictions are not looked at."""
        return self.current(index, y)

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: there is no state."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take nothing."""
