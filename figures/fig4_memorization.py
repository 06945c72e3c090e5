"""Draws fig4_memorization: the portions of noisy training data, by epoch."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from rofit.figures._style import LABELS, PAGE, RC, band, legend, look_of, stamp

_PANELS = {
    "untouched_given": "untouched, given labels",
    "corrupted_given": "corrupted, given labels",
    "corrupted_true": "corrupted, true labels",
    "test_clean": "test, true labels",
}


def draw(table: pd.DataFrame) -> Figure:
    """Return two rows (standard, adversarial training) of four panels, clean images."""
    with plt.rc_context(RC):
        figure = Figure(figsize=(PAGE, 3.6))
        rows = figure.subplots(2, len(_PANELS), sharex=True, sharey="row")
        for line, training in zip(rows, ("standard", "adversarial"), strict=True):
            chosen = table[table["training"] == training]
            for axes, (column, title) in zip(line, _PANELS.items(), strict=True):
                for method, runs in chosen.groupby("method", observed=True):
                    shown = runs.assign(accuracy=100 * runs[column])
                    band(axes, shown, "accuracy", look_of(str(method)))
                axes.set_title(title, fontsize=8)
                axes.set_xlabel("epoch" if training == "adversarial" else "")
            line[0].set_ylabel(f"{training}\naccuracy (%)")
        legend(figure, table["method"], LABELS)
        stamp(figure, table)
    return figure
