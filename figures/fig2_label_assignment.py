"""Draws fig2_label_assignment: test and training robust accuracy, one line a method."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from rofit.figures._curves import band, best_note, mark_best, mark_drops
from rofit.figures._legend import legend
from rofit.figures._style import PAGE, RC, attack_name, looks, panels, stamp


def draw(table: pd.DataFrame, width: float = PAGE) -> Figure:
    """Return test (left) and training accuracy: means over seeds, bands one sd."""
    shown = looks(table["method"])
    with plt.rc_context(RC):
        figure, both = panels(width, 2, across=2)
        for axes, split in zip(both, ("test", "train"), strict=True):
            for method, look in shown.items():
                rows = table[table["method"] == method]
                rows = rows.assign(accuracy=100 * rows[f"{split}_robust"])
                band(axes, rows, "accuracy", look)
                if split == "test":
                    mark_best(axes, rows, "accuracy", look)
            mark_drops(axes, table)
            axes.set_xlabel("epoch")
        both[0].set_ylabel(f"test robust accuracy,\n{attack_name(table)} (%)")
        trained = attack_name(table, "train_attack")
        both[1].set_ylabel(f"train robust accuracy,\non the fly, {trained} (%)")
        legend(figure, shown, marked=True, note=best_note(table))
        stamp(figure, table)
    return figure
