"""Draws fig1_gradnorm: gradient norm beside train and test robust accuracy."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from rofit.figures._curves import band, best_note, mark_best, mark_drops
from rofit.figures._legend import legend
from rofit.figures._style import PAGE, RC, attack_name, looks, panels, stamp


def draw(table: pd.DataFrame, width: float = PAGE) -> Figure:
    """Return the two panels: means over seeds, bands of one standard deviation."""
    shown = looks(table["method"])
    with plt.rc_context(RC):
        figure, (left, right) = panels(width, 2, across=2)
        for method, look in shown.items():
            rows = table[table["method"] == method]
            band(left, rows, "gradient_norm", look)
            rows = rows.assign(
                train_robust=100 * rows["train_robust"],
                test_robust=100 * rows["test_robust"],
            )
            band(right, rows, "test_robust", look)
            band(right, rows, "train_robust", look, linestyle="--")
            mark_best(right, rows, "test_robust", look)
        for axes, letter in ((left, "a"), (right, "b")):
            mark_drops(axes, table)
            axes.set_xlabel("epoch")
            axes.set_title(f"({letter})", loc="left", fontsize=8)
        left.set_ylabel("gradient norm, training step")
        right.set_ylabel("robust accuracy (%)")
        styles = {
            "-": f"test, {attack_name(table)}",
            "--": f"train, on the fly, {attack_name(table, 'train_attack')}",
        }
        note = best_note(table)
        legend(figure, shown, styles=styles, marked=True, note=note)
        stamp(figure, table)
    return figure
