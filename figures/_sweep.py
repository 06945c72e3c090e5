"""Draws the settings of a sweep: what `rofit sweep` shows."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rofit.figures._legend import add_legend
from rofit.figures._style import PAGE, RC, label_decades, panels, stamp

_LOOKS: dict[str, dict[str, Any]] = {
    "best": {"label": "best epoch, by validation", "color": "C0", "marker": "o"},
    "last": {"label": "last epoch", "color": "C1", "marker": "s"},
}
_WIDE = 20  # times its smallest value: then a field's axis is logarithmic


def draw(
    table: pd.DataFrame, fields: Sequence[str], seeds: int, width: float = PAGE
) -> Figure:
    """Return a panel a swept field: test robust accuracy of every setting over it.

    Lines join settings that agree in all other fields; bars are intervals of means.

    Args:
        table: of `rofit.sweeps.outcomes`, with the columns scale and data.
        fields: its columns that were swept.
        seeds: runs of each setting.
        width: in inches.
    """
    with plt.rc_context(RC):
        figure, axes = panels(width, len(fields), across=min(len(fields), 3))
        for panel, field in zip(axes, fields, strict=False):
            _draw_field(panel, table, field, [f for f in fields if f != field])
            panel.set_xlabel(field.replace("_", " "))
            panel.set_ylabel("test robust accuracy (%)")
        for panel in axes[len(fields) :]:
            panel.remove()
        handles = [Line2D([], [], **look) for look in _LOOKS.values()]
        if table["chosen"].any():
            ring: Any = {"marker": "o", "markersize": 9, "markerfacecolor": "none"}
            label = "setting with the highest validation accuracy"
            handles.append(Line2D([], [], color="0.2", ls="", label=label, **ring))
        note = "bars: 95 % interval of the mean over seeds (Student's t)"
        add_legend(figure, handles, note if table["best_low"].notna().any() else "")
        stamp(figure, table, seeds)
    return figure


def _draw_field(axes: Axes, table: pd.DataFrame, field: str, others: list[str]) -> None:
    """Draw accuracies over one field, a line where the *others* agree."""
    places = _places(axes, table[field])
    groups = (
        table.groupby(others, dropna=False, sort=False) if others else [("", table)]
    )
    for measure, look in _LOOKS.items():
        for _, rows in groups:
            xs = places[rows.index]
            rows = rows.loc[xs.sort_values(kind="stable").index]
            reach = (rows[f"{measure}_high"] - rows[measure]).fillna(0.0)
            axes.errorbar(
                places[rows.index],
                rows[measure],
                yerr=reach,
                color=look["color"],
                marker=look["marker"],
                markersize=3.5,
                capsize=2,
                alpha=1.0 if len(table) < 10 else 0.6,
            )
    for number in table.index[table["chosen"]]:
        axes.plot(
            places[number],
            table.loc[number, "best"],
            marker="o",
            markersize=9,
            markerfacecolor="none",
            markeredgecolor="0.2",
        )


def _places(axes: Axes, values: "pd.Series[Any]") -> "pd.Series[float]":
    """Return where a field's values stand: numbers at themselves, others in order."""
    if pd.api.types.is_numeric_dtype(values) and values.dtype != bool:
        low, high = values.min(), values.max()
        if low > 0 and high > _WIDE * low:
            axes.set_xscale("log")
            label_decades(axes.xaxis)
        return values.astype(float)
    names = list(dict.fromkeys(values.astype(str)))
    axes.set_xticks(range(len(names)), names)
    return values.astype(str).map(names.index).astype(float)
