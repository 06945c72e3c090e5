"""Draws theorem1_information: measured information against its bound."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from rofit.figures._style import PAGE, RC, band, legend, look_of, stamp


def draw(table: pd.DataFrame) -> Figure:
    """Return a panel a kind of images: information (solid), its bound (dashed)."""
    kinds = list(dict.fromkeys(table["images"]))
    means = table.groupby(["method", "images", "share"])[["information", "bound"]]
    shown = means.mean().reset_index()
    with plt.rc_context(RC):
        figure = Figure(figsize=(PAGE, 2.6))
        for axes, kind in zip(figure.subplots(1, len(kinds)), kinds, strict=True):
            for method, rows in shown[shown["images"] == kind].groupby("method"):
                look = look_of(str(method))
                band(axes, rows, "information", look, x="share")
                band(axes, rows, "bound", look, linestyle="--", x="share")
            axes.set_title(kind, fontsize=8)
            axes.set_xlabel("$\\lambda$: share that is not uniform")
            axes.set_ylabel("")
        networks = int(table["networks"].min())
        figure.axes[0].set_ylabel(f"I(w; y | x) of {networks} networks (nats)")
        styles = {"-": "measured", "--": "bound"}
        legend(figure, table["method"], styles=styles)
        stamp(figure, table, networks)
    return figure
