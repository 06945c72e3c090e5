"""A label table: what each image was last trained on."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from rofit.labels.rule import LabelRule


class Tabled(LabelRule):
    """A rule that assigns labels anew in each step; a table keeps each image's last.

    Attributes:
        table: (N, K), float32; the given labels at first.
    """

    def __init__(self, y: Tensor, n_classes: int) -> None:
        """Begin at the given classes (N,), on the training device."""
        self.table = F.one_hot(y, n_classes).float()

    @property
    def tables(self) -> list[Tensor]:
        """The table."""
        return [self.table]

    def current(self, index: Tensor, y: Tensor) -> Tensor:
        """Return the labels (B, K) that images were last given."""
        return self.table[index]

    def state_dict(self) -> dict[str, Any]:
        """Return the table."""
        return {"table": self.table}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the table."""
        self.table.copy_(state["table"])
