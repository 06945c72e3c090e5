"""Labels that training does not change: one-hot and smoothed."""

import torch.nn.functional as F
from torch import Tensor

from rofit.labels.rule import LabelRule


class Smoothed(LabelRule):
    """``(1 - rho) y + rho / K``: the same for every epoch; ``rho = 0`` is one-hot.

    Source: Szegedy et al. 2016, section 7 (the form in which the wrong classes and the
    given one all receive rho / K).
    """

    def __init__(self, n_classes: int, rho: float = 0.0) -> None:
        """Smooth over *n_classes* classes by rho in [0, 1]."""
        self.n_classes = n_classes
        self.rho = rho

    def current(self, index: Tensor, y: Tensor) -> Tensor:
        """Return the labels (B, K) of classes y (B,)."""
        hard = F.one_hot(y, self.n_classes).float()
        return (1 - self.rho) * hard + self.rho / self.n_classes
