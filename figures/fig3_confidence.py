"""Draws fig3_confidence: confidence on correct and incorrect predictions."""

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rofit.figures._legend import add_legend
from rofit.figures._style import PAGE, RC, attack_name, looks, panels, stamp

_DODGE = 0.55
_MARK: Any = {  # hollow, so that a bar that is shorter than its mark is seen inside
    "markersize": 4.5,
    "markerfacecolor": "white",
    "markeredgewidth": 0.9,
}


def draw(table: pd.DataFrame, width: float = PAGE) -> Figure:
    """Return four panels: best and last checkpoint, clean and attacked test images."""
    attacked = table[table["attack"] != "none"]
    shown = looks(table["method"])
    with plt.rc_context(RC):
        figure, four = panels(width, 4, across=4, in_column=2, height=2.0)
        cases = [(c, a) for c in ("best", "last") for a in (False, True)]
        for axes, (checkpoint, is_attacked) in zip(four, cases, strict=True):
            rows = attacked if is_attacked else table[table["attack"] == "none"]
            sns.pointplot(
                rows[rows["checkpoint"] == checkpoint],
                x="predictions",
                y="confidence",
                hue="method",
                hue_order=list(shown),
                order=["correct", "incorrect"],
                palette={name: look.color for name, look in shown.items()},
                markers=[look.marker for look in shown.values()],
                linestyles="none",
                dodge=_DODGE,
                errorbar="sd",
                err_kws={"linewidth": 1.1},
                ax=axes,
                legend=False,
                **_MARK,
            )
            images = attack_name(attacked) if is_attacked else "clean"
            axes.set_title(f"{checkpoint}, {images}", fontsize=8)
            axes.set(xlabel="predictions", ylabel="mean confidence, test")
            axes.sharey(four[0])
            axes.label_outer()
        four[0].autoscale(axis="y")
        handles = [
            Line2D(
                [],
                [],
                color=look.color,
                marker=look.marker,
                linestyle="",
                label=look.label,
                **_MARK,
            )
            for look in shown.values()
        ]
        add_legend(figure, handles, "means over seeds, bars: one standard deviation")
        stamp(figure, table)
    return figure
