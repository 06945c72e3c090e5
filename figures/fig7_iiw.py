"""Draws fig7_iiw: two estimates of the information in weights, by epoch."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from rofit.figures._style import PAGE, RC, attack_name, band, legend, look_of, stamp

_PANELS = {
    "iiw_fisher": "single gradients: mean of $(d^T g_i)^2$",
    "iiw_code": "mean gradient: $(d^T \\bar g)^2$",
}


def draw(table: pd.DataFrame) -> Figure:
    """Return a panel an estimate, logarithmic: means over seeds, bands one sd."""
    with plt.rc_context(RC):
        figure = Figure(figsize=(PAGE, 2.6))
        for axes, (column, title) in zip(
            figure.subplots(1, 2), _PANELS.items(), strict=True
        ):
            for method, rows in table.groupby("method"):
                look = look_of(str(method))
                band(axes, rows, column, look)
                axes.lines[-1].set(marker=look.marker, markersize=4)
            axes.set_yscale("log")
            axes.set_title(title, fontsize=8)
            axes.set_xlabel("epoch")
        figure.axes[0].set_ylabel(f"information in weights, {attack_name(table)}")
        figure.axes[1].set_ylabel("")
        legend(figure, table["method"])
        stamp(figure, table)
    return figure
