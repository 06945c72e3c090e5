"""One run in words and characters: best, last and gap, and its curve."""

import math

import pandas as pd

from rofit.measures.metrics import best_last_gap, curve

_HEIGHT, _WIDTH = 12, 64


def best_last_gap_text(logs: pd.DataFrame) -> str:
    """Return best, last and gap of one run in two lines."""
    summary = best_last_gap(logs).iloc[0]
    split = {"val": "validation"}.get(summary["selected_on"], "test")
    if not summary["best_epoch"]:
        return "no epoch has an accuracy and a loss that are finite: there is no best"
    return (
        f"best {100 * summary['best']:.1f} % at epoch {summary['best_epoch']} "
        f"(chosen on {split}), last {_finite(summary['last'], '%')} at epoch "
        f"{summary['epochs']}, gap {_finite(summary['gap'], 'points')}\n"
        f"chosen on test images, as most publications do: best "
        f"{100 * summary['oracle_best']:.1f} % at epoch {summary['oracle_epoch']}, "
        f"gap {_finite(summary['oracle_gap'], 'points')}"
    )


def _finite(share: float, unit: str) -> str:
    return "not finite" if math.isnan(share) else f"{100 * share:.1f} {unit}"


def robust_curve(logs: pd.DataFrame) -> str:
    """Return the robust accuracy of one run by epoch, drawn in characters.

    ``*`` test images, ``.`` training adversaries on the fly.
    """
    lines = {
        mark: curve(logs, split=split).iloc[:, 0].dropna() * 100
        for mark, split in ((".", "train"), ("*", "test"))
        if len(curve(logs, split=split))
    }
    values = pd.concat(lines.values())
    low, high = math.floor(values.min()), math.ceil(values.max())
    first, last = int(values.index.min()), int(values.index.max())
    width = min(_WIDTH, last - first + 1)
    grid = [[" "] * width for _ in range(_HEIGHT)]
    for mark, line in lines.items():
        for epoch, value in zip(line.index.tolist(), line.tolist(), strict=True):
            column = round((epoch - first) / max(last - first, 1) * (width - 1))
            row = round((high - value) / max(high - low, 1) * (_HEIGHT - 1))
            grid[row][column] = mark
    labels = [f"{high:3d} %"] + ["     "] * (_HEIGHT - 2) + [f"{low:3d} %"]
    body = "\n".join(
        f"{label} |{''.join(row)}" for label, row in zip(labels, grid, strict=True)
    )
    footer = f"epoch {first}".ljust(max(width - len(str(last)), 8)) + str(last)
    return f"robust accuracy: * test, . train\n{body}\n       {footer}"
