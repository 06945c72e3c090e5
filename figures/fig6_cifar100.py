"""Draws fig6_cifar100: robust accuracy, test and training, and clean test accuracy."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from rofit.figures._curves import band, best_note, mark_drops, robust_curves
from rofit.figures._legend import legend
from rofit.figures._style import PAGE, RC, looks, panels, stamp


def draw(table: pd.DataFrame, width: float = PAGE) -> Figure:
    """Return robust (left) and clean accuracy: means over seeds, bands one sd."""
    clean = table.assign(test_clean=100 * table["test_clean"])
    shown = looks(table["method"])
    with plt.rc_context(RC):
        figure, (left, right) = panels(width, 2, across=2)
        styles = robust_curves(left, table, shown)
        for method, look in shown.items():
            band(right, clean[clean["method"] == method], "test_clean", look)
        for axes in (left, right):
            mark_drops(axes, table)
            axes.set_xlabel("epoch")
        right.set_ylabel("clean test accuracy (%)")
        note = best_note(table)
        legend(figure, shown, styles=styles, marked=True, note=note)
        stamp(figure, table)
    return figure
