"""Draws fig9_ablation: best and last robust accuracy over each setting of SGLR."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from rofit.figures._style import METHODS, PAGE, RC, attack_name, stamp

_NAMES = {
    "r": "share of the refined label, r",
    "label_momentum": "momentum of the labels",
    "start": "start, fraction of the run",
}


def draw(table: pd.DataFrame) -> Figure:
    """Return a panel a setting: means over seeds, bars one sd; grey: PGD-AT."""
    with plt.rc_context(RC):
        figure = Figure(figsize=(PAGE, 2.4))
        panels = figure.subplots(1, len(_NAMES), sharey=True)
        look = METHODS["sglr"]
        plain = table[table["varied"] == "pgd_at"]
        for axes, (name, label) in zip(panels, _NAMES.items(), strict=True):
            by = table[table["varied"] == name].groupby("value")
            for column, style in (("last", "-"), ("best", "--")):
                axes.errorbar(
                    by[column].mean().index,
                    100 * by[column].mean(),
                    yerr=100 * by[column].std(),
                    color=look.color,
                    linestyle=style,
                    marker=look.marker,
                    markersize=4,
                    capsize=2,
                    label=f"{look.label}, {column}",
                )
                axes.axhline(
                    100 * plain[column].mean(),
                    color="0.5",
                    linestyle=style,
                    linewidth=0.8,
                    label=f"{METHODS['pgd_at'].label}, {column}",
                )
            axes.set_xlabel(label)
        panels[0].set_ylabel(f"test robust accuracy, {attack_name(table)} (%)")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, ncols=4, loc="outside upper center")
        stamp(figure, table)
    return figure
