"""Labels refined by the network's own past predictions: SGLS and SGLR.

A table keeps, for each training image, the moving average p of the predictions that the
network made on it, begun at the given label:

    p_i <- alpha p_i + (1 - alpha) [ c f(x_i) + (1 - c) f(x'_i) ]
    soft_i = r p_i + (1 - r) y_i

Averaging first and mixing with the label after, or the other way round, is the same
when p begins at the label; so r = 1 is SGLS, and there is one rule, not two.
"""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from rofit.labels.rule import LabelRule
from rofit.settings.spec import epoch_at


class SelfGuided(LabelRule):
    """A label table (N, K), in use from a fraction of the run on.

    Source: SGLS, the authors' first release (alpha 0.9, c 0.2, r 1); ``r`` below 1 is
    SGLR by our reading (docs/method.md, "SGLR, our reading").
    """

    def __init__(
        self,
        y: Tensor,
        n_classes: int,
        *,
        r: float,
        momentum: float,
        clean_share: float,
        start: float,
    ) -> None:
        """Begin the table at the given labels.

        Args:
            y: given class of every training image (N,), on the training device.
            n_classes: K.
            r: share of the refined label in the label, in [0, 1].
            momentum: alpha, in [0, 1].
            clean_share: c, the share of the clean prediction, in [0, 1].
            start: fraction of the run before which labels are one-hot.
        """
        self.average = F.one_hot(y, n_classes).float()
        self.n_classes = n_classes
        self.r, self.momentum, self.clean_share = r, momentum, clean_share
        self.start = start
        self.active = False

    @property
    def reads_clean(self) -> bool:  # type: ignore[override]
        """Whether ``refine`` needs the predictions on the clean inputs now."""
        return self.active and self.clean_share > 0

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Switch the table on when its part of the run has come (epoch from 0)."""
        self.active = epoch >= epoch_at(self.start, epochs)

    def current(self, index: Tensor, y: Tensor) -> Tensor:
        """Return the labels (B, K) of positions index (B,), each row summing to one."""
        hard = F.one_hot(y, self.n_classes).float()
        if not self.active:
            return hard
        return self.r * self.average[index] + (1 - self.r) * hard

    def refine(
        self, index: Tensor, y: Tensor, logits_adv: Tensor, logits_clean: Tensor | None
    ) -> Tensor:
        """Move the table by this step's predictions, then return ``current``.

        Args:
            index: positions in the training set (B,), without repetition.
            y: given classes (B,).
            logits_adv: (B, K) on the adversarial inputs, train mode; detached here.
            logits_clean: (B, K) on the clean inputs, train mode, where read.
        """
        if self.active:
            prediction = (1 - self.clean_share) * F.softmax(logits_adv.detach(), dim=1)
            if self.reads_clean:
                assert logits_clean is not None
                clean = F.softmax(logits_clean.detach(), dim=1)
                prediction = prediction + self.clean_share * clean
            past = self.momentum * self.average[index]
            self.average[index] = past + (1 - self.momentum) * prediction
        return self.current(index, y)

    def state_dict(self) -> dict[str, Any]:
        """Return the table, (N, K) float32."""
        return {"average": self.average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the table."""
        self.average.copy_(state["average"])
