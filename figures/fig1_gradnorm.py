"""Draws fig1_gradnorm: gradient norm beside train and test robust accuracy."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rofit.figures._style import (
    PAGE,
    RC,
    attack_name,
    band,
    look_of,
    mark_best,
    mark_drops,
    stamp,
)


def draw(table: pd.DataFrame) -> Figure:
    """Return the two panels: means over seeds, bands of one standard deviation."""
    with plt.rc_context(RC):
        figure = Figure(figsize=(PAGE, 2.6))
        left, right = figure.subplots(1, 2)
        for method, rows in table.groupby("method"):
            look = look_of(str(method))
            band(left, rows, "gradient_norm", look)
            shown = rows.assign(
                train_robust=100 * rows["train_robust"],
                test_robust=100 * rows["test_robust"],
            )
            band(right, shown, "test_robust", look)
            band(right, shown, "train_robust", look, linestyle="--")
            mark_best(right, shown, "test_robust", look)
        for axes, letter in ((left, "a"), (right, "b")):
            mark_drops(axes, table)
            axes.set_xlabel("epoch")
            axes.set_title(f"({letter})", loc="left", fontsize=8)
        left.set_ylabel("gradient norm, training step")
        right.set_ylabel(f"robust accuracy, {attack_name(table)} (%)")
        figure.legend(handles=_legend(table), ncols=5, loc="outside upper center")
        stamp(figure, table)
    return figure


def _legend(table: pd.DataFrame) -> list[Line2D]:
    looks = [look_of(str(method)) for method, _ in table.groupby("method")]
    selected_on = {"val": "validation"}.get(table["selected_on"].iloc[0], "test")
    return [
        *(Line2D([], [], color=look.color, label=look.label) for look in looks),
        Line2D([], [], color="0.3", label="test"),
        Line2D([], [], color="0.3", linestyle="--", label="train, on the fly"),
        Line2D(
            [],
            [],
            color="0.3",
            linestyle="",
            marker="o",
            markersize=4,
            label=f"best, chosen on {selected_on}",
        ),
    ]
