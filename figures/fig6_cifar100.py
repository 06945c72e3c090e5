"""Draws fig6_cifar100: robust accuracy, test and training, and clean test accuracy."""

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
    mark_best,
    mark_drops,
    stamp,
)


def draw(table: pd.DataFrame) -> Figure:
    """Return robust (left) and clean accuracy: means over seeds, bands one sd."""
    with plt.rc_context(RC):
        figure = Figure(figsize=(PAGE, 2.6))
        left, right = figure.subplots(1, 2)
        for method, rows in table.groupby("method"):
            look = look_of(str(method))
            names = ["test_robust", "train_robust", "test_clean"]
            shown = rows.assign(**{name: 100 * rows[name] for name in names})
            band(left, shown, "test_robust", look)
            band(left, shown, "train_robust", look, linestyle="--")
            mark_best(left, shown, "test_robust", look)
            band(right, shown, "test_clean", look)
        for axes in (left, right):
            mark_drops(axes, table)
            axes.set_xlabel("epoch")
        left.set_ylabel(f"robust accuracy, {attack_name(table)} (%)")
        right.set_ylabel("clean test accuracy (%)")
        styles = {"-": "test", "--": "train, on the fly"}
        legend(figure, table["method"], styles=styles)
        stamp(figure, table)
    return figure
