"""Draws fig8_iiw_noise: information in weights and memorised labels against noise."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from rofit.figures._style import PAGE, RC, attack_name, band, legend, look_of, stamp


def draw(table: pd.DataFrame) -> Figure:
    """Return the estimate (left, logarithmic) and the memorised share (right)."""
    shown = table.assign(
        noise=100 * table["label_noise"], memorised=100 * table["corrupted_given"]
    )
    with plt.rc_context(RC):
        figure = Figure(figsize=(PAGE, 2.6))
        left, right = figure.subplots(1, 2)
        for method, rows in shown.groupby("method"):
            look = look_of(str(method))
            for axes, column in ((left, "iiw_fisher"), (right, "memorised")):
                known = rows.dropna(subset=[column])
                band(axes, known, column, look, x="noise")
                axes.lines[-1].set(marker=look.marker, markersize=4)
        left.set_yscale("log")
        left.set_ylabel(f"information in weights, {attack_name(table)}")
        right.set_ylabel("corrupted labels predicted (%)")
        for axes in (left, right):
            axes.set_xlabel("training labels redrawn (%)")
        legend(figure, table["method"])
        stamp(figure, table)
    return figure
