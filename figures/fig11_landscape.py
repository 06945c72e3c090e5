"""Draws fig11_landscape: loss along the weights, and over the plane of inputs."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from rofit.figures._style import (
    PAGE,
    RC,
    attack_name,
    band,
    in_order,
    legend,
    look_of,
    stamp,
)


def draw(table: pd.DataFrame) -> Figure:
    """Return the curves around the weights, and a map of the inputs a method."""
    methods = in_order(table["method"])
    inputs = table[table["surface"] == "inputs"]
    weights = table[table["surface"] == "weights"]
    with plt.rc_context(RC):
        figure = Figure(figsize=(PAGE, 4.4))
        above, below = figure.subfigures(
            2, 1, squeeze=False, height_ratios=(1.25, 1)
        ).flat
        axes = above.subplots()
        for method in methods:
            rows = weights[weights["method"] == method]
            band(axes, rows, "loss", look_of(method), x="a")
        axes.set_xlabel("step along a random direction, in norms of each filter")
        axes.set_ylabel(f"robust loss, {attack_name(weights)} (nats)")
        panels = below.subplots(1, len(methods), sharey=True, squeeze=False)[0]
        means = inputs.groupby(["method", "u", "v"])["loss"].mean()
        levels = MaxNLocator(12).tick_values(means.min(), means.max())
        for panel, method in zip(panels, methods, strict=True):
            plane = means[method].unstack("u")
            drawn = panel.contourf(plane.columns, plane.index, plane, levels)
            panel.set_title(look_of(method).label, fontsize=7)
            panel.set_xlabel("gradient's sign (1/255)")
        panels[0].set_ylabel("random signs (1/255)")
        below.colorbar(drawn, ax=panels, label="loss (nats)", pad=0.01)
        legend(figure, methods)
        stamp(figure, table)
    return figure
