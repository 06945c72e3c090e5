"""The network's predictions of single images, kept for questions about several runs.

The information in weights about labels, H(mean_m p_m) - mean_m H(p_m), is one of the
disagreement of networks m on the same image: no run can measure it alone.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rofit.diagnostics.diagnostic import Column, EpochDiagnostic, Measured, Schedule
from rofit.diagnostics.view import EpochView

SPLITS = ("train", "test")  # the code of a split is its place here


class Predictions(EpochDiagnostic):
    """Probabilities of the first images of training and test set; samples, no rows.

    Eval mode, no augmentation. A row an image: ``split`` (0 train, 1 test),
    ``attacked`` (0 clean, 1 under the evaluation's attack), ``position`` in the split,
    given class ``y``, true class ``true``, and ``p0`` to ``p<K-1>``, float32. Runs of
    one data seed have the same images at the same positions; attacked ones are each
    network's own adversaries of them.
    Source: feeds docs/method.md, "Theorem 1"; the numbers of images are ours
    (docs/diagnostics.md, "Predictions of single images").
    """

    columns: ClassVar[dict[str, Column]] = {}
    cost: ClassVar[str] = (
        "four times a run, a softmax of the learning curves' logits; where training "
        "does not attack, also one clean pass over 256 images"
    )
    when: ClassVar[Schedule] = Schedule(4)
    n_test: ClassVar[int] = 512
    n_train: ClassVar[int] = 256

    def measure(self, view: EpochView) -> Measured:
        """Return the columns, one part of the data after the other."""
        tables = [
            _columns(view, "test", "none", self.n_test),
            _columns(view, "test", view.attack.name, self.n_test),
            _columns(view, "train", "none", self.n_train),
        ]
        return Measured(
            [], {k: torch.cat([table[k] for table in tables]) for k in tables[0]}
        )


def _columns(view: EpochView, split: str, attack: str, n: int) -> dict[str, Tensor]:
    logits = view.logits(split, attack, n)
    p = F.softmax(logits.double(), dim=1).float()
    n, images = len(p), view.splits[split]
    position = torch.arange(n, device=p.device)
    common = {
        "split": torch.full_like(position, SPLITS.index(split)),
        "attacked": torch.full_like(position, attack != "none"),
        "position": position,
        "y": images.y[:n],
        "true": images.true[:n],
    }
    return common | {f"p{k}": column for k, column in enumerate(p.unbind(dim=1))}
