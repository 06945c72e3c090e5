"""Draws fig8_iiw_noise: information in weights and memorised labels against noise."""

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


def draw(table: pd.DataFrame, width: float = PAGE) -> Figure:
    """Return the estimate (left, logarithmic) and the memorised share (right)."""
    table = table.assign(
        noise=100 * table["label_noise"], memorised=100 * table["corrupted_given"]
    )
    shown = looks(table["method"])
    with plt.rc_context(RC):
        figure, (left, right) = panels(width, 2, across=2)
        left.set_yscale("log")  # before the curves: their means are of logarithms
        for method, look in shown.items():
            rows = table[table["method"] == method]
            for axes, column in ((left, "iiw_fisher"), (right, "memorised")):
                known = rows.dropna(subset=[column])
                if len(known):
                    band(axes, known, column, look, x="noise")
                    axes.lines[-1].set(**mark(look))
        label_decades(left.yaxis)
        left.set_ylabel(f"information in weights,\n{attack_name(table)} (nats²)")
        right.set_ylabel("corrupted labels\npredicted (%)")
        for axes in (left, right):
            axes.set_xlabel("training labels redrawn (%)")
        legend(figure, shown, marked=True, note=f"information: {GEOMETRIC}")
        stamp(figure, table)
    return figure
