"""What a class looks like to the network: mean predictions of its images, by epoch."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from rofit.labels.rule import LabelRule


class ClassMeans(LabelRule):
    """Given labels, and beside them each class' mean prediction over the last epoch.

    Predictions are those on the clean inputs, train mode, at a temperature, each made
    before its step. In the first epoch, and for a class without images, means are
    uniform.

    Source: Cui et al. 2024 (IKL), its released code.

    Attributes:
        means: (K, K), a row a class, each summing to one.
        sums: of the epoch under way, (K, K).
    """

    reads_clean = True

    def __init__(self, y: Tensor, n_classes: int, temperature: float) -> None:
        """Begin uniform, on the device of the classes y (N,); temperature above 0."""
        self.n_classes, self.temperature = n_classes, temperature
        size = (n_classes, n_classes)
        self.means = torch.full(size, 1 / n_classes, device=y.device)
        self.sums = torch.zeros(size, device=y.device)
        # The epoch that the sums are of, from 0; none yet. A tensor: a plain value that
        # changes would have the step captured anew.
        self.epoch = torch.tensor(-1)

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Turn the sums of an earlier epoch into means; one resumed goes on."""
        if epoch == self.epoch:
            return
        total = self.sums.sum(dim=1, keepdim=True)
        uniform = torch.full_like(self.means, 1 / self.n_classes)
        self.means.copy_(torch.where(total > 0, self.sums / total, uniform))
        self.sums.zero_()
        self.epoch.fill_(epoch)

    def current(self, index: Tensor, y: Tensor) -> Tensor:
        """Return the given labels, (B, K)."""
        return F.one_hot(y, self.n_classes).to(self.means)

    def refine(
        self, index: Tensor, y: Tensor, logits_adv: Tensor, logits_clean: Tensor | None
    ) -> Tensor:
        """Add the predictions on the clean inputs to their classes' sums."""
        assert logits_clean is not None
        hard = self.current(index, y)
        p = F.softmax(logits_clean.detach() / self.temperature, dim=1).to(self.sums)
        self.sums += hard.T @ p
        return hard

    def state_dict(self) -> dict[str, Any]:
        """Return means, sums and the epoch that these are of."""
        return {"means": self.means, "sums": self.sums, "epoch": self.epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.means.copy_(state["means"])
        self.sums.copy_(state["sums"])
        self.epoch.copy_(state["epoch"])
