"""Draws fig6_cifar100: robust accuracy, test and training, and clean test accuracy."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from rofit.figures._curves import band, best_note, mark_best, mark_drops
from rofit.figures._legend import legend
from rofit.figures._style import PAGE, RC, attack_name, looks, panels, stamp


def draw(table: pd.DataFrame, width: float = PAGE) -> Figure:
    """Return robust (left) and clean accuracy: means over seeds, bands one sd."""
    names = ["test_robust", "train_robust", "test_clean"]
    table = table.assign(**{name: 100 * table[name] for name in names})
    shown = looks(table["method"])
    with plt.rc_context(RC):
        figure, (left, right) = panels(width, 2, across=2)
        for method, look in shown.items():
            rows = table[table["method"] == method]
            band(left, rows, "test_robust", look)
            band(left, rows, "train_robust", look, linestyle="--")
            mark_best(left, rows, "test_robust", look)
            band(right, rows, "test_clean", look)
        for axes in (left, right):
            mark_drops(axes, table)
            axes.set_xlabel("epoch")
        left.set_ylabel("robust accuracy (%)")
        right.set_ylabel("clean test accuracy (%)")
        styles = {
            "-": f"test, {attack_name(table)}",
            "--": f"train, on the fly, {attack_name(table, 'train_attack')}",
        }
        note = best_note(table)
        legend(figure, shown, styles=styles, marked=True, note=note)
        stamp(figure, table)
    return figure
