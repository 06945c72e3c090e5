"""Draws fig4_memorization: the portions of noisy training data, by epoch."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from rofit.figures._curves import band
from rofit.figures._legend import legend
from rofit.figures._style import LABELS, PAGE, RC, looks, panels, stamp

_PANELS = {
    "untouched_given": "untouched, given labels",
    "corrupted_given": "corrupted, given labels",
    "corrupted_true": "corrupted, true labels",
    "test_clean": "test, true labels",
}


def draw(table: pd.DataFrame, width: float = PAGE) -> Figure:
    """Return four panels of standard, then of adversarial training, clean images."""
    shown = {
        name: look._replace(label=LABELS.get(name, look.label))
        for name, look in looks(table["method"]).items()
    }
    with plt.rc_context(RC):
        figure, eight = panels(width, 8, across=4, in_column=2, height=1.6)
        for number, training in enumerate(("standard", "adversarial")):
            four = eight[4 * number : 4 * number + 4]
            chosen = table[table["training"] == training]
            for axes, (column, title) in zip(four, _PANELS.items(), strict=True):
                for method, look in shown.items():
                    runs = chosen[chosen["method"] == method]
                    runs = runs.assign(accuracy=100 * runs[column])
                    band(axes, runs, "accuracy", look)
                axes.set_title(title, fontsize=7)
                label = f"{training} training:\nclean accuracy (%)"
                axes.set(xlabel="epoch", ylabel=label)
                axes.sharex(eight[0])
                axes.sharey(four[0])
                axes.label_outer()
            four[0].autoscale(axis="y")
        eight[0].autoscale(axis="x")
        legend(figure, shown)
        stamp(figure, table)
    return figure
