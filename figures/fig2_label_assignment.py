"""Draws fig2_label_assignment: test and training robust accuracy, one line a method."""

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
    """Return test (left) and training accuracy: means over seeds, bands one sd."""
    with plt.rc_context(RC):
        figure = Figure(figsize=(PAGE, 2.6))
        panels = figure.subplots(1, 2)
        for axes, split in zip(panels, ("test", "train"), strict=True):
            for method, rows in table.groupby("method"):
                shown = rows.assign(accuracy=100 * rows[f"{split}_robust"])
                band(axes, shown, "accuracy", look_of(str(method)))
                if split == "test":
                    mark_best(axes, shown, "accuracy", look_of(str(method)))
            mark_drops(axes, table)
            axes.set_xlabel("epoch")
        panels[0].set_ylabel(f"test robust accuracy, {attack_name(table)} (%)")
        panels[1].set_ylabel("train robust acc., on the fly (%)")
        legend(figure, table["method"])
        stamp(figure, table)
    return figure
