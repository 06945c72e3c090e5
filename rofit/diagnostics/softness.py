"""How soft the method's labels are, and how far they have left the given ones.

Refined labels can forget the label that they began at: then the network teaches itself,
right where the label was noise and wrong where the network is.
"""

from typing import ClassVar

import torch
from torch import Tensor

from rofit.diagnostics.diagnostic import (
    Column,
    EpochDiagnostic,
    Measured,
    Row,
    Schedule,
)
from rofit.diagnostics.view import EpochView, chunks


class Softness(EpochDiagnostic):
    """Entropy, mass and largest class of the labels that the method trains on.

    Means over all training images of the labels as they stand after the epoch.
    Source: ours (docs/diagnostics.md, "Softness of labels").
    """

    columns: ClassVar[dict[str, Column]] = {
        "label_entropy": Column("nats", "mean -sum_k q_k log q_k of the labels q"),
        "label_mass_on_given": Column("in [0, 1]", "mean q_y of the given class y"),
        "label_drift": Column("fraction", "labels whose largest class is not y"),
        "label_correction": Column(
            "fraction", "of redrawn labels whose largest class is the true one"
        ),
    }
    cost: ClassVar[str] = "looks up the labels of all training images, no extra pass"
    when: ClassVar[Schedule] = Schedule()
    chunk: ClassVar[int] = 10_000  # labels at once

    def measure(self, view: EpochView) -> Measured:
        """Return the means; correction only where labels were redrawn."""
        train = view.splits["train"]
        index = torch.arange(len(train.y), device=train.y.device)
        pieces = [
            softness(view.labels(index[part]), train.y[part], train.true[part])
            for part in chunks(len(index), self.chunk)
        ]
        values = {
            name: torch.cat([piece[name] for piece in pieces]) for name in pieces[0]
        }
        corrected = values["label_correction"][view.redrawn]
        common: Row = {"split": "train", "attack": "none"}
        rows: list[Row] = [
            common | {"metric": name, "value": value.mean().item(), "n": len(value)}
            for name, value in values.items()
            if name != "label_correction"
        ]
        if len(corrected):
            mean = {"value": corrected.mean().item(), "n": len(corrected)}
            portion = {"metric": "label_correction", "portion": "corrupted"}
            rows.append(common | portion | mean)
        return Measured(rows)


def softness(soft: Tensor, y: Tensor, true: Tensor) -> dict[str, Tensor]:
    """Return what each metric is the mean of, a float64 (B,) each.

    A label whose given class is one of several largest has not drifted.

    Args:
        soft: labels q (B, K), each row summing to one; 0 log 0 is 0.
        y: given classes (B,).
        true: true classes (B,).

    Examples:
        >>> soft = torch.tensor([[0.5, 0.5], [0.25, 0.75]])
        >>> by_metric = softness(soft, torch.tensor([1, 0]), torch.tensor([0, 1]))
        >>> by_metric["label_drift"].tolist(), by_metric["label_correction"].tolist()
        ([0.0, 1.0], [0.0, 1.0])
    """
    q = soft.double()
    mass = q.gather(1, y[:, None]).squeeze(1)
    largest = torch.where(mass == q.amax(dim=1), y, q.argmax(dim=1))
    return {
        "label_entropy": torch.special.entr(q).sum(dim=1),
        "label_mass_on_given": mass,
        "label_drift": (largest != y).double(),
        "label_correction": (largest == true).double(),
    }
