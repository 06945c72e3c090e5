"""Draws the curves of any runs together: what `rofit compare` shows."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from rofit.figures._style import PAGE, RC


def draw(table: pd.DataFrame) -> Figure:
    """Return robust (left) and clean accuracy by epoch, a colour a run.

    Args:
        table: columns run, epoch, and test_robust, train_robust, test_clean in per
            cent.
    """
    with plt.rc_context(RC):
        figure = Figure(figsize=(PAGE, 3.0))
        left, right = figure.subplots(1, 2)
        for number, (run, rows) in enumerate(table.groupby("run", sort=False)):
            color = f"C{number % 10}"
            left.plot(rows["epoch"], rows["test_robust"], color=color, label=run)
            left.plot(rows["epoch"], rows["train_robust"], color=color, linestyle="--")
            right.plot(rows["epoch"], rows["test_clean"], color=color)
        for axes in (left, right):
            axes.set_xlabel("epoch")
        left.set_ylabel("robust accuracy (%): test, and train dashed")
        right.set_ylabel("clean test accuracy (%)")
        figure.legend(loc="outside lower center", ncols=2)
    return figure
