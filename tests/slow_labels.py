"""What slow twins learn from: other networks' predictions, and those of classes."""

import math
from typing import Any

import slow_losses as loss
import torch
from slow_losses import K


def predicted(network, x, temperature: float = 1.0) -> torch.Tensor:
    """Return softmax(network(x) / T) in eval mode, an example at a time, (B, K)."""
    with torch.no_grad():
        rows = [(network(one[None])[0] / temperature).softmax(0) for one in x]
    return torch.stack(rows)


def add(sums: torch.Tensor, y, clean: torch.Tensor, temperature: float) -> None:
    """Add each example's prediction to the row of its class."""
    for label, row in zip(y.tolist(), clean, strict=True):
        for k, value in enumerate(loss.softmax(row, temperature)):
            sums[label, k] += value


def means(sums: torch.Tensor) -> torch.Tensor:
    """Return the mean prediction of each class, uniform where it has no example."""
    rows = [
        [v / sum(row) for v in row] if sum(row) else [1 / K] * K
        for row in sums.tolist()
    ]
    return torch.tensor(rows, dtype=torch.float64)


def te_weight(s: dict[str, Any], epoch: int, epochs: int) -> float:
    """w(t) with t from 1, the first and last epoch of the growth as in 5.9."""
    t = epoch + 1
    first = round(s["te_start"] * epochs) + 1
    last = round(s["te_full"] * epochs) + 1
    if t < first:
        return 0.0
    grown = min((t - first) / (last - first), 1.0)
    return s["te_weight"] * math.exp(-5 * (1 - grown) ** 2)
