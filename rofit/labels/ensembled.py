"""Labels that are an ensemble of the network's past predictions: TE.

The sums q_i <- alpha q_i + (1 - alpha) f(x_i) begin at zero; an image's label is its
ensemble's prediction, q_i / sum_k q_ik.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rofit.labels.rule import LabelRule
from rofit.settings.spec import epoch_at


class Ensembled(LabelRule):
    """Temporal ensembles (N, K), begun at zero, and the weight of agreeing with them.

    Before their part of the run has come the labels are the given ones, with weight 0.
    Source: Dong et al. 2022 (temporal ensembling), its released code.
    """

    def __init__(
        self,
        y: Tensor,
        n_classes: int,
        *,
        momentum: float,
        start: float,
        full: float,
        largest: float,
    ) -> None:
        """Begin with no prediction.

        Args:
            y: given class of every training image (N,).
            n_classes: K.
            momentum: alpha, in [0, 1].
            start: fraction of the run at which ensembles begin.
            full: fraction of the run from which on the weight is *largest*.
            largest: weight of the disagreement; grows as exp(-5 (1 - t)^2).
        """
        self.sums = torch.zeros(len(y), n_classes, device=y.device)
        self.momentum, self.largest = momentum, largest
        self.start, self.full = start, full
        self.active = False
        # A tensor, so that a captured step reads the weight of its epoch.
        self.weight = torch.zeros((), dtype=torch.float64, device=y.device)

    @property
    def tables(self) -> list[Tensor]:
        """The sums."""
        return [self.sums]

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Set the weight of the epoch (counted from 0)."""
        first, full = epoch_at(self.start, epochs), epoch_at(self.full, epochs)
        self.active = epoch >= first
        remaining = max(full - epoch, 0) / max(full - first, 1)
        ramp = math.exp(-5 * remaining**2) if self.active else 0.0
        self.weight.fill_(self.largest * ramp)

    def prepare(self, network: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> None:
        """Add the prediction on the clean inputs, eval mode, before the attack."""
        if self.active:
            with torch.no_grad():
                p = F.softmax(network(x), dim=1).to(self.sums)
            past = self.momentum * self.sums[index]
            self.sums[index] = past + (1 - self.momentum) * p

    def current(self, index: Tensor, y: Tensor) -> Tensor:
        """Return the ensembles' predictions (B, K); where there is none yet, labels."""
        hard = F.one_hot(y, self.sums.shape[1]).to(self.sums)
        if not self.active:
            return hard
        total = self.sums[index].sum(dim=1, keepdim=True)
        ensemble = self.sums[index] / total.clamp_min(torch.finfo(total.dtype).tiny)
        return torch.where(total > 0, ensemble, hard)

    def state_dict(self) -> dict[str, Any]:
        """Return the sums, (N, K) float32."""
        return {"sums": self.sums}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the sums."""
        self.sums.copy_(state["sums"])
