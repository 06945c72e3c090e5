"""Whether the network is right as often as it is sure: ECE, optimal temperature.

Robust overfitting shows here as a rising optimal temperature under attack: predictions
would have to be softened more and more to mean what they say.
"""

import math
from typing import ClassVar, NamedTuple

import torch
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
from rofit.losses import cross_entropy

BINS = 15
HOTTEST = 100.0  # temperatures are searched in [1 / HOTTEST, HOTTEST]
HALVINGS = 45  # of that range in log T: known to 2.6e-13 in the end


class Calibration(EpochDiagnostic):
    """Calibration error, reliability of each bin, and the best single temperature.

    On all n test images, clean and under the evaluation's attack; eval mode. Rows of a
    bin carry ``bin``, 0 to 14, four times a run; an empty bin has a count and nothing
    else.
    Source: Guo et al. 2017; docs/diagnostics.md, "Calibration".
    """

    columns: ClassVar[dict[str, Column]] = {
        "ece": Column("in [0, 1]", "expected calibration error, 15 equal-width bins"),
        "nll": Column("nats", "mean -log p_y"),
        "optimal_temperature": Column(
            "in [0.01, 100]", "T that minimises the mean -log softmax(logits / T)_y"
        ),
        "nll_at_optimal_temperature": Column("nats", "mean -log p_y after dividing"),
        "reliability_count": Column("images", "predictions in a bin of confidence"),
        "reliability_confidence": Column("in [1/K, 1]", "mean confidence in a bin"),
        "reliability_accuracy": Column("in [0, 1]", "correct predictions in a bin"),
    }
    cost: ClassVar[str] = "47 softmaxes of the learning curves' logits, no extra pass"
    when: ClassVar[Schedule] = Schedule()
    when_bins: ClassVar[Schedule] = Schedule(4)

    def measure(self, view: EpochView) -> Measured:
        """Return four numbers for each attack, and fifteen bins where they are due."""
        rows: list[Row] = []
        y = view.splits["test"].y
        for attack in ("none", view.attack.name):
            logits = view.logits("test", attack, len(y)).double()
            bins = reliability(logits, y)
            t = optimal_temperature(logits, y)
            values = {
                "ece": expected_calibration_error(bins),
                "nll": cross_entropy(logits, y).mean(),
                "optimal_temperature": t,
                "nll_at_optimal_temperature": cross_entropy(logits / t, y).mean(),
            }
            common: Row = {"split": "test", "attack": attack, "n": len(y)}
            rows += [
                common | {"metric": name, "value": value.item()}
                for name, value in values.items()
            ]
            if self.when_bins.due(view.epoch, view.spec.evaluated_epochs):
                rows += [common | row for row in _bin_rows(bins)]
        return Measured(rows)


class Reliability(NamedTuple):
    """Bins of confidence: number of images and means, (bins,) float64, 0 if empty."""

    images: Tensor
    confidence: Tensor
    accuracy: Tensor


def reliability(logits: Tensor, y: Tensor, bins: int = BINS) -> Reliability:
    """Return the bins of confidence: bin b holds (b / bins, (b + 1) / bins].

    Args:
        logits: (n, K).
        y: classes (n,).
        bins: how many, of equal width.

    Source: Guo et al. 2017, section 2, reliability diagrams.
    """
    confidence = F.softmax(logits.double(), dim=1).amax(dim=1)
    correct = (logits.argmax(dim=1) == y).double()
    edges = torch.arange(1, bins, device=logits.device, dtype=torch.float64) / bins
    member = F.one_hot(torch.bucketize(confidence, edges), bins).double()
    images = member.sum(dim=0)
    # Masked sums: bincount with weights has no deterministic form on a GPU.
    sums = [(member * values[:, None]).sum(dim=0) for values in (confidence, correct)]
    return Reliability(images, *(total / images.clamp_min(1) for total in sums))


def expected_calibration_error(bins: Reliability) -> Tensor:
    """Return ``sum_b (n_b / n) |accuracy_b - confidence_b|``, in [0, 1].

    Source: Guo et al. 2017, section 2, expected calibration error.

    Examples:
        >>> bins = Reliability(*torch.tensor([[1.0, 3], [0.6, 0.9], [1, 0.5]]))
        >>> round(expected_calibration_error(bins).item(), 6)
        0.4
    """
    gap = (bins.accuracy - bins.confidence).abs()
    return (bins.images * gap).sum() / bins.images.sum()


def optimal_temperature(logits: Tensor, y: Tensor) -> Tensor:
    """Return the T > 0 that minimises the mean of ``-log softmax(logits / T)_y``.

    The loss is convex in 1 / T, with derivative ``mean_i sum_k p_ik (z_ik - z_iy)``,
    whose sign a bisection of log T follows, to 1e-12. The range is [0.01, 100]; where
    the loss falls beyond it (all correct, or worse than chance), T is that end.

    Args:
        logits: z, (n, K).
        y: classes (n,).

    Source: Guo et al. 2017, section 4.2, temperature scaling.
    Differs: fitted on the images that it is judged on, not on validation images.
    """
    z = logits.double()
    z = z - z.gather(1, y[:, None])
    low = z.new_tensor(-math.log(HOTTEST))
    high = -low
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        too_cold = (F.softmax(z * torch.exp(-middle), dim=1) * z).sum() > 0
        low = torch.where(too_cold, middle, low)
        high = torch.where(too_cold, high, middle)
    return torch.exp((low + high) / 2)


def _bin_rows(bins: Reliability) -> list[Row]:
    rows: list[Row] = []
    by_bin = zip(*(column.tolist() for column in bins), strict=True)
    for number, (images, confidence, accuracy) in enumerate(by_bin):
        values = {"reliability_count": images}
        if images:
            values |= {"reliability_confidence": confidence}
            values |= {"reliability_accuracy": accuracy}
        rows += [{"metric": k, "value": v, "bin": number} for k, v in values.items()]
    return rows
