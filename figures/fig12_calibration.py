"""Draws fig12_calibration: reliability under attack, and its error by epoch."""

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rofit.figures._curves import DROPS, band, mark_drops
from rofit.figures._legend import legend
from rofit.figures._style import PAGE, RC, attack_name, looks, panels, stamp

_FEWEST = 10  # images of a bin that is drawn: one more or less is 10 points
_AREA = 250  # square points of a mark that stood for all images
_GREY: Any = {"marker": "o", "color": "0.5", "linestyle": ""}
_SHARES = (0.05, 0.2, 0.5)  # in the legend of areas


def draw(table: pd.DataFrame, width: float = PAGE) -> Figure:
    """Return reliability (left: all seeds' images pooled) and ECE (right)."""
    bins = table[table["bin"].notna()]
    epochs = table[table["bin"].isna()].astype({"drop_follows": bool})
    epochs = epochs.assign(ece=100 * epochs["ece"])
    shown = looks(table["method"])
    with plt.rc_context(RC):
        figure, (left, right) = panels(width, 2, across=2)
        left.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle=":")
        for method, look in shown.items():
            pooled = _pooled(bins[bins["method"] == method])
            drawn = pooled[pooled["images"] >= _FEWEST]
            x, y = drawn["confidence"], drawn["accuracy"]
            left.plot(x, y, color=look.color, linewidth=look.width)
            left.scatter(
                x,
                y,
                s=_AREA * drawn["images"] / pooled["images"].sum(),
                color=look.color,
                marker=look.marker,
            )
            band(right, epochs[epochs["method"] == method], "ece", look)
        mark_drops(right, epochs)
        _name_areas(left)
        left.set(xlim=(0, 1), ylim=(0, 1), xlabel="mean confidence in the bin")
        left.set_ylabel(f"accuracy in the bin, {attack_name(table)}")
        right.set_xlabel("epoch")
        right.set_ylabel(f"calibration error, {attack_name(table)} (%)")
        note = (
            f"bins of all seeds' images, without those of fewer than {_FEWEST}; {DROPS}"
        )
        legend(figure, shown, note=note)
        stamp(figure, table)
    return figure


def _name_areas(axes: Axes) -> None:
    marks = [
        Line2D([], [], **_GREY, markersize=(_AREA * share) ** 0.5, label=f"{share:.0%}")
        for share in _SHARES
    ]
    title = "share of\nimages"
    axes.legend(handles=marks, loc="upper left", title=title, title_fontsize=7)


def _pooled(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the bins of several runs as if their images were one set."""
    filled = rows[rows["images"] > 0]
    sums = filled[["confidence", "accuracy"]].mul(filled["images"], axis=0)
    sums = sums.assign(images=filled["images"]).groupby(filled["bin"]).sum()
    means = sums[["confidence", "accuracy"]].div(sums["images"], axis=0)
    return means.assign(images=sums["images"])
