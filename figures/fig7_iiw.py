"""Draws fig7_iiw: two estimates of the information in weights, by epoch."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from rofit.figures._curves import GEOMETRIC, band
from rofit.figures._legend import legend, mark
from rofit.figures._style import (
    PAGE,
    RC,
    attack_name,
    label_decades,
    looks,
    panels,
    stamp,
)

_PANELS = {
    "iiw_fisher": "single gradients: mean of $(d^T g_i)^2$",
    "iiw_code": "mean gradient: $(d^T \\bar g)^2$",
}


def draw(table: pd.DataFrame, width: float = PAGE) -> Figure:
    """Return a panel an estimate, logarithmic: geometric means, bands one sd of log."""
    shown = looks(table["method"])
    with plt.rc_context(RC):
        figure, both = panels(width, 2, across=2)
        for axes, (column, title) in zip(both, _PANELS.items(), strict=True):
            axes.set_yscale("log")  # before the curves: their means are of logarithms
            for method, look in shown.items():
                band(axes, table[table["method"] == method], column, look)
                axes.lines[-1].set(**mark(look))
            label_decades(axes.yaxis)
            axes.set_title(title, fontsize=9)  # its exponents: 6 points
            axes.set_xlabel("epoch")
            axes.set_ylabel(f"information in weights,\n{attack_name(table)} (nats²)")
        legend(figure, shown, marked=True, note=GEOMETRIC)
        stamp(figure, table)
    return figure
