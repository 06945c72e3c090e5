"""Draws fig12_calibration: reliability under attack, and gradient norm by epoch."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from rofit.figures._style import (
    PAGE,
    RC,
    attack_name,
    band,
    legend,
    look_of,
    mark_drops,
    stamp,
)


def draw(table: pd.DataFrame) -> Figure:
    """Return reliability (left: all seeds' images pooled) and norm (right)."""
    bins = table[table["bin"].notna()]
    epochs = table[table["bin"].isna()].astype({"drop_follows": bool})
    with plt.rc_context(RC):
        figure = Figure(figsize=(PAGE, 2.7))
        left, right = figure.subplots(1, 2)
        left.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle=":")
        for name, rows in bins.groupby("method", observed=True):
            look = look_of(str(name))
            pooled = _pooled(rows)
            left.plot(pooled["confidence"], pooled["accuracy"], color=look.color)
            left.scatter(
                pooled["confidence"],
                pooled["accuracy"],
                s=60 * pooled["images"] / pooled["images"].sum(),
                color=look.color,
                marker=look.marker,
            )
        for name, rows in epochs.groupby("method", observed=True):
            band(right, rows, "gradient_norm", look_of(str(name)))
        mark_drops(right, epochs)
        left.set(xlim=(0, 1), ylim=(0, 1), xlabel="mean confidence in the bin")
        left.set_ylabel(f"accuracy in the bin, {attack_name(table)}")
        right.set_xlabel("epoch")
        right.set_ylabel("gradient norm, training step")
        legend(figure, table["method"])
        stamp(figure, table)
    return figure


def _pooled(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the bins of several runs as if their images were one set."""
    filled = rows[rows["images"] > 0]
    sums = filled[["confidence", "accuracy"]].mul(filled["images"], axis=0)
    sums = sums.assign(images=filled["images"]).groupby(filled["bin"]).sum()
    means = sums[["confidence", "accuracy"]].div(sums["images"], axis=0)
    return means.assign(images=sums["images"])
