"""Draws the curves of any runs together: what `rofit compare` shows."""

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rofit.figures._legend import add_legend
from rofit.figures._style import PAGE, RC, panels, widths


def draw(table: pd.DataFrame, width: float = PAGE) -> Figure:
    """Return robust (left) and clean accuracy by epoch, a colour a run.

    Args:
        table: columns run, epoch, and test_robust, train_robust, test_clean in per
            cent.
        width: in inches.
    """
    with plt.rc_context(RC):
        figure, (left, right) = panels(width, 2, across=2)
        runs = list(dict.fromkeys(table["run"]))
        for number, (run, points) in enumerate(
            zip(runs, widths(len(runs)), strict=True)
        ):
            rows = table[table["run"] == run]
            look: Any = {"color": f"C{number % 10}", "linewidth": points}
            left.plot(rows["epoch"], rows["test_robust"], **look, label=run)
            left.plot(rows["epoch"], rows["train_robust"], **look, linestyle="--")
            right.plot(rows["epoch"], rows["test_clean"], **look)
        for axes in (left, right):
            axes.set_xlabel("epoch")
        left.set_ylabel("robust accuracy (%)")
        right.set_ylabel("clean test accuracy (%)")
        handles, _ = left.get_legend_handles_labels()
        styles: dict[Any, str] = {"-": "test", "--": "train, on the fly"}
        for style, label in styles.items():
            handles.append(Line2D([], [], color="0.3", linestyle=style, label=label))
        add_legend(figure, handles, loc="outside lower center")
    return figure
