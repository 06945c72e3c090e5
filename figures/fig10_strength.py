"""Draws fig10_strength: accuracy by radius and by steps of PGD."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from rofit.figures._style import PAGE, RC, band, legend, look_of, stamp

_LINES = {"last": "-", "best": "--"}


def draw(table: pd.DataFrame) -> Figure:
    """Return accuracy by radius (left) and by number of steps (right)."""
    shown = table.assign(accuracy=100 * table["accuracy"])
    with plt.rc_context(RC):
        figure = Figure(figsize=(PAGE, 2.6))
        left, right = figure.subplots(1, 2)
        for axes, varied in ((left, "radius"), (right, "steps")):
            rows = shown[shown["varied"] == varied]
            for (name, checkpoint), line in rows.groupby(["method", "checkpoint"]):
                look, style = look_of(str(name)), _LINES[str(checkpoint)]
                band(axes, line, "accuracy", look, style, x="strength")
            axes.set_ylim(bottom=0)
        left.set(xlabel="radius times 255", ylabel="test accuracy, PGD-20 (%)")
        right.set(xlabel="steps of PGD", ylabel="test accuracy, PGD (%)")
        right.set_xscale("log")
        legend(figure, table["method"], styles={"-": "last", "--": "best"})
        stamp(figure, table)
    return figure
