"""Draws fig9_ablation: best and last robust accuracy over each setting of SGLR."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rofit.figures._legend import add_legend
from rofit.figures._style import METHODS, PAGE, RC, attack_name, panels, stamp, widths

_NAMES = {
    "r": "share of the refined label, r",
    "label_momentum": "momentum of the labels",
    "start": "start, fraction of the run",
}


def draw(table: pd.DataFrame, width: float = PAGE) -> Figure:
    """Return a panel a setting: means over seeds, bars one sd; grey: PGD-AT."""
    beneath, _ = widths(2)
    plain = table[table["varied"] == "pgd_at"]
    swept = table[table["varied"] != "pgd_at"]
    with plt.rc_context(RC):
        figure, three = panels(width, len(_NAMES), across=len(_NAMES), height=2.0)
        for axes, (name, label) in zip(three, _NAMES.items(), strict=True):
            for column, style in (("last", "-"), ("best", "--")):
                axes.axhline(
                    100 * plain[column].mean(),
                    color="0.6",
                    linestyle=style,
                    linewidth=beneath,  # seen beneath the other where they coincide
                    label=f"{METHODS['pgd_at'].label}, {column}",
                )
                _sweep(axes, swept[swept["varied"] == name], column, style)
            axes.set_xlabel(label)
            axes.set_ylabel(f"test robust accuracy,\n{attack_name(table)} (%)")
            axes.sharey(three[0])
            if width == PAGE:
                axes.label_outer()
        three[0].autoscale(axis="y")
        handles, _ = three[0].get_legend_handles_labels()
        handles.sort(key=lambda handle: handle.get_label())
        add_legend(figure, handles, _note(swept))
        stamp(figure, table)
    return figure


def _sweep(axes: Axes, rows: pd.DataFrame, column: str, style: str) -> None:
    look = METHODS["sglr"]
    by = 100 * rows.groupby("value")[column].agg(["mean", "std"])
    axes.errorbar(
        by.index,
        by["mean"],
        yerr=None if by["std"].isna().all() else by["std"],  # of one seed none
        color=look.color,
        linestyle=style,
        linewidth=look.width,
        marker=look.marker,
        markersize=4,
        capsize=2,
        label=f"{look.label}, {column}",
    )
    axes.set_xticks(by.index, [f"{value:g}" for value in by.index])


def _note(swept: pd.DataFrame) -> str:
    """Return what would look like a mistake: an outcome that no setting changes."""
    means = swept.groupby(["varied", "value"])["best"].mean()
    if swept["seed"].nunique() == 1:
        note = "one seed: no bars"
    else:
        note = "means over seeds, bars: one standard deviation"
    if means.max() - means.min() < 1e-9:
        note += f"; {METHODS['sglr'].label}, best: {100 * means.max():.1f} % at every "
        note += "setting (reached before refinement has an effect)"
    return note
