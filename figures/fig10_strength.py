"""Draws fig10_strength: accuracy by radius and by steps of PGD."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from rofit.figures._curves import band
from rofit.figures._legend import legend
from rofit.figures._style import PAGE, RC, label_decades, looks, panels, stamp

_LINES = {"last": "-", "best": "--"}


def draw(table: pd.DataFrame, width: float = PAGE) -> Figure:
    """Return accuracy by radius (left) and by number of steps (right).

    Dotted: the radius of training, which results from before tables had it lack.
    """
    table = table.assign(accuracy=100 * table["accuracy"])
    trained = sorted(set(table.get("trained_radius", pd.Series(dtype=float)).dropna()))
    shown = looks(table["method"])
    with plt.rc_context(RC):
        figure, (left, right) = panels(width, 2, across=2)
        right.set_xscale("log")
        for axes, varied in ((left, "radius"), (right, "steps")):
            rows = table[table["varied"] == varied]
            for method, look in shown.items():
                for checkpoint, style in _LINES.items():
                    chosen = rows["checkpoint"] == checkpoint
                    line = rows[chosen & (rows["method"] == method)]
                    band(axes, line, "accuracy", look, style, x="strength")
            axes.set_ylim(bottom=0)
        for radius in trained:
            left.axvline(radius, color="0.5", linewidth=0.8, linestyle=":", zorder=0)
        label_decades(right.xaxis)
        left.set(xlabel="$\\epsilon$ (1/255)", ylabel="test accuracy, PGD-20 (%)")
        right.set(xlabel="steps of PGD", ylabel="test accuracy, PGD (%)")
        radii = ", ".join(f"{radius:g}/255" for radius in trained)
        note = f"dotted, and where steps vary: $\\epsilon$ of training, {radii}"
        legend(
            figure,
            shown,
            styles={"-": "last", "--": "best"},
            note=note if trained else "",
        )
        stamp(figure, table)
    return figure
