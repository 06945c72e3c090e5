"""Draws fig3_confidence: confidence on correct and incorrect predictions."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rofit.figures._style import PAGE, RC, in_order, look_of, stamp

_DODGE = 0.5


def draw(table: pd.DataFrame) -> Figure:
    """Return four panels: best and last checkpoint, clean and attacked test images."""
    attacked = next(name for name in table["attack"] if name != "none")
    panels = [(c, a) for c in ("best", "last") for a in ("none", attacked)]
    looks = {name: look_of(name) for name in in_order(table["method"])}
    with plt.rc_context(RC):
        figure = Figure(figsize=(PAGE, 2.3))
        for number, (axes, (checkpoint, attack)) in enumerate(
            zip(figure.subplots(1, 4, sharey=True), panels, strict=True)
        ):
            chosen = (table["checkpoint"] == checkpoint) & (table["attack"] == attack)
            sns.pointplot(
                table[chosen],
                x="predictions",
                y="confidence",
                hue="method",
                hue_order=list(looks),
                order=["correct", "incorrect"],
                palette={name: look.color for name, look in looks.items()},
                markers=[look.marker for look in looks.values()],
                linestyles="none",
                dodge=_DODGE,
                errorbar="sd",
                markersize=4,
                err_kws={"linewidth": 0.9},
                ax=axes,
                legend=False,
            )
            shown = "clean" if attack == "none" else attack.upper().replace("D", "D-")
            axes.set_title(f"{checkpoint}, {shown}", fontsize=8)
            axes.set_xlabel("predictions" if number == 0 else "")
            axes.set_ylim(0, 1)
        figure.axes[0].set_ylabel("mean confidence, test")
        handles = [
            Line2D(
                [],
                [],
                color=look.color,
                marker=look.marker,
                linestyle="",
                markersize=4,
                label=look.label,
            )
            for look in looks.values()
        ]
        figure.legend(handles=handles, ncols=len(looks), loc="outside upper center")
        stamp(figure, table)
    return figure
