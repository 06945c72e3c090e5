"""Draws theorem1_information: measured information against its bound."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rofit.figures._curves import outline
from rofit.figures._legend import legend
from rofit.figures._style import PAGE, RC, Look, looks, panels, stamp


def draw(table: pd.DataFrame, width: float = PAGE) -> Figure:
    """Return a panel a kind of images: information (solid), its bound (dashed).

    Around the information its standard error over networks, by the jackknife, where
    the table has it.
    """
    kinds = list(dict.fromkeys(table["images"]))
    shown = looks(table["method"])
    with plt.rc_context(RC):
        figure, many = panels(width, len(kinds), across=len(kinds))
        for axes, kind in zip(many, kinds, strict=True):
            rows = table[table["images"] == kind]
            for method, look in shown.items():
                _line(axes, rows[rows["method"] == method], look)
            axes.set_title(kind, fontsize=8)
            axes.set_xlabel("$\\lambda$: share that is not uniform")
            axes.set_ylabel("I(w; y | x) of two\nnetworks (nats)")
            if width == PAGE and axes is not many[0]:
                axes.set_ylabel("")
        styles = {"-": "measured", "--": "bound"}
        note = "bands: standard error over networks" if _has_error(table) else ""
        legend(figure, shown, styles=styles, note=note)
        stamp(figure, table, int(table["networks"].min()))
    return figure


def _has_error(rows: pd.DataFrame) -> bool:
    return "error" in rows and bool(rows["error"].notna().all())


def _line(axes: Axes, rows: pd.DataFrame, look: Look) -> None:
    means = rows.groupby("share")[["information", "bound"]].mean()
    line = {"color": look.color, "linewidth": look.width}
    axes.plot(means.index, means["information"], **line)
    axes.plot(means.index, means["bound"], **line, linestyle="--")
    if not _has_error(rows):
        return
    error = rows.groupby("share")["error"].first()
    low, high = means["information"] - error, means["information"] + error
    outline(axes.fill_between(means.index, low, high), look)
