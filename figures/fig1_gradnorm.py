"""Draws fig1_gradnorm: gradient norm beside train and test robust accuracy."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from rofit.figures._curves import band, best_note, mark_drops, robust_curves
from rofit.figures._legend import legend
from rofit.figures._style import PAGE, RC, looks, panels, stamp


def draw(table: pd.DataFrame, width: float = PAGE) -> Figure:
    """Return the two panels: means over seeds, bands of one standard deviation."""
    shown = looks(table["method"])
    with plt.rc_context(RC):
        figure, (left, right) = panels(width, 2, across=2)
        for method, look in shown.items():
            band(left, table[table["method"] == method], "gradient_norm", look)
        styles = robust_curves(right, table, shown)
        for axes, letter in ((left, "a"), (right, "b")):
            mark_drops(axes, table)
            axes.set_xlabel("epoch")
            axes.set_title(f"({letter})", loc="left", fontsize=8)
        left.set_ylabel("gradient norm, training step")
        note = best_note(table)
        legend(figure, shown, styles=styles, marked=True, note=note)
        stamp(figure, table)
    return figure
