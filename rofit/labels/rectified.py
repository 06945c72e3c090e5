"""Labels rectified by a teacher that is the network's own moving average: ADR.

With z the teacher's logits on the clean inputs:

P = softmax(z_teacher(x) / tau),   lambda_i = clip(lambda - (max_k P_k - P_y), 0, 1)
soft_i = lambda_i P + (1 - lambda_i) y_i
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rofit.labels.table import Tabled
from rofit.precision import PrecisionCopy
from rofit.weights.averages import MovingAverage


class Rectified(Tabled):
    """Annealed self-distillation with rectification.

    Temperature and share go from their first to their last value along half a cosine
    over all steps. The teacher is in eval mode, on the clean, augmented inputs.

    Source: Wu et al. 2024 (ADR), its released code.
    """

    def __init__(
        self,
        model: nn.Module,
        y: Tensor,
        n_classes: int,
        *,
        decay: float,
        temperatures: tuple[float, float],
        shares: tuple[float, float],
        precision: str = "fp32",
    ) -> None:
        """Begin with a teacher like *model*.

        Args:
            model: the network in training.
            y: given class of every training image (N,).
            n_classes: K.
            decay: of the teacher's weights, a step.
            temperatures: tau, first and last.
            shares: lambda, first and last, in [0, 1].
            precision: of the teacher's convolutions, a field of RunSpec.
        """
        super().__init__(y, n_classes)
        self.model, self.teacher = model, MovingAverage(model, decay)
        self.temperatures, self.shares = temperatures, shares
        # tau and lambda of the step; tensors, so that a captured step reads them.
        self.annealed = torch.zeros(2, dtype=torch.float64, device=y.device)
        self.begin_step(0.0)
        self._rounded: PrecisionCopy | None = None
        if precision == "bf16":
            self._rounded = PrecisionCopy(self.teacher.network, torch.bfloat16)

    def begin_step(self, progress: float) -> None:
        """Set temperature and share of the step."""
        for i, ends in enumerate((self.temperatures, self.shares)):
            self.annealed[i].fill_(annealed(*ends, progress))

    def prepare(self, network: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> None:
        """Put the teacher's rectified labels into the table."""
        teacher = self._rounded.network if self._rounded else self.teacher.network
        with torch.no_grad():
            logits = teacher(x)
        tau, share = self.annealed.unbind()
        self.table[index] = rectified(logits / tau, y, share).to(self.table)

    def after_step(self) -> None:
        """Move the teacher towards the network."""
        self.teacher.after_step(self.model)
        self._refresh()

    def state_dict(self) -> dict[str, Any]:
        """Return table and teacher."""
        return super().state_dict() | {"teacher": self.teacher.network.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore table and teacher."""
        super().load_state_dict(state)
        self.teacher.network.load_state_dict(state["teacher"])
        self._refresh()

    def _refresh(self) -> None:
        if self._rounded:
            self._rounded.refresh()


def rectified(logits: Tensor, y: Tensor, share: Tensor | float) -> Tensor:
    """Return labels (B, K): a teacher's predictions, less where it is wrong.

    Args:
        logits: the teacher's, over the temperature, (B, K).
        y: given classes (B,).
        share: of the prediction in the label where the teacher agrees with y.
    """
    p = F.softmax(logits, dim=1)
    wrong = p.amax(dim=1) - p.gather(1, y[:, None]).squeeze(1)
    lambda_i = (share - wrong).clamp(0, 1)[:, None]
    return lambda_i * p + (1 - lambda_i) * F.one_hot(y, p.shape[1])


def annealed(first: float, last: float, progress: float) -> float:
    """Return a value on half a cosine from *first* to *last*.

    Examples:
        >>> annealed(0.7, 0.9, 0.0), round(annealed(0.7, 0.9, 0.5), 9)
        (0.7, 0.8)
    """
    return last + 0.5 * (first - last) * (1 + math.cos(math.pi * progress))
