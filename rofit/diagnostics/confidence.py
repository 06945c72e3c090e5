"""How sure the network is where it is right, and where it is wrong: Figure 3.

A network that overfits robustly stays sure of itself where the attack has fooled it:
confidence on incorrect predictions is what softer labels are to bring down.
"""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from rofit.diagnostics.diagnostic import (
    Column,
    EpochDiagnostic,
    Measured,
    Row,
    Schedule,
)
from rofit.diagnostics.view import EpochView


class Confidence(EpochDiagnostic):
    """Mean confidence ``max_k p_k``, apart for correct and incorrect predictions.

    On all validation and test images, clean and under the evaluation's attack, which
    maximises the cross entropy with the given classes; eval mode. A mean over no image
    (no incorrect prediction, say) gives no row; ``n`` counts the images of each mean.
    Source: docs/diagnostics.md, "Confidence"; the validation rows are ours.
    """

    columns: ClassVar[dict[str, Column]] = {
        "confidence_correct": Column("in [1/K, 1]", "mean max_k p_k where argmax = y"),
        "confidence_incorrect": Column(
            "in [1/K, 1]", "mean max_k p_k where argmax != y"
        ),
        "probability_of_label": Column("in [0, 1]", "mean p_y over all images"),
    }
    cost: ClassVar[str] = "a softmax of the learning curves' logits, no extra pass"
    when: ClassVar[Schedule] = Schedule()

    def measure(self, view: EpochView) -> Measured:
        """Return the three means of each split and attack."""
        rows: list[Row] = []
        for split in ("val", "test"):
            if split not in view.splits:
                continue
            y = view.splits[split].y
            for attack in ("none", view.attack.name):
                logits = view.logits(split, attack, len(y))
                common: Row = {"split": split, "attack": attack}
                rows += [
                    common | {"metric": name, "value": p.mean().item(), "n": len(p)}
                    for name, p in confidences(logits, y).items()
                    if len(p)
                ]
        return Measured(rows)


def confidences(logits: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Return the probabilities that each metric is the mean of, in float64.

    Args:
        logits: (n, K).
        y: classes (n,).

    Returns:
        ``confidence_correct`` (c,), ``confidence_incorrect`` (n - c,) and
        ``probability_of_label`` (n,), where c predictions are correct.

    Examples:
        >>> import torch
        >>> p = torch.tensor([[0.7, 0.3], [0.6, 0.4]], dtype=torch.float64)
        >>> by_metric = confidences(p.log(), torch.tensor([0, 1]))
        >>> [round(value.item(), 6) for value in by_metric.values() if len(value) == 1]
        [0.7, 0.6]
    """
    p = F.softmax(logits.double(), dim=1)
    highest, correct = p.amax(dim=1), logits.argmax(dim=1) == y
    return {
        "confidence_correct": highest[correct],
        "confidence_incorrect": highest[~correct],
        "probability_of_label": p.gather(1, y[:, None]).squeeze(1),
    }
