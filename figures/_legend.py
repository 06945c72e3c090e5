"""Legends above or below panels: methods, marks, line styles, and a note."""

import math
from collections.abc import Sequence
from typing import Any, Final, Literal

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rofit.figures._style import RC, Look, wrapped

_ABOVE: Final = "outside upper center"


def add_legend(
    figure: Figure,
    handles: Sequence[Any],
    note: str = "",
    loc: Literal["outside upper center", "outside lower center"] = _ABOVE,
) -> None:
    """Put a legend above or below the panels, as many entries a row as fit.

    Args:
        figure: that grows by the legend's height.
        handles: with their labels.
        note: what else a reader must know of what is drawn, a line or more.
        loc: where.
    """
    title = wrapped(note, figure, 18) if note else None
    for rows in range(1, len(handles) + 1):
        box = figure.legend(
            handles=handles,
            ncols=math.ceil(len(handles) / rows),
            loc=loc,
            title=title,
            title_fontsize=RC["legend.fontsize"],
        )
        box.get_title().set_multialignment("center")
        extent = box.get_window_extent()
        if extent.width < 0.98 * figure.bbox.width or rows == len(handles):
            break
        box.remove()
    figure.set_figheight(figure.get_figheight() + extent.height / figure.dpi)


def legend(
    figure: Figure,
    shown: dict[str, Look],
    *,
    styles: dict[Any, str] | None = None,
    marked: bool = False,
    note: str = "",
) -> None:
    """Name the methods that are drawn, with their marks, and what line styles mean."""
    handles = [
        Line2D(
            [],
            [],
            color=look.color,
            linewidth=look.width,
            label=wrapped(look.label, figure, 13),
            **(mark(look) if marked else {}),
        )
        for look in shown.values()
    ]
    for style, label in (styles or {}).items():
        handles.append(Line2D([], [], color="0.3", linestyle=style, label=label))
    add_legend(figure, handles, note)


def mark(look: Look) -> dict[str, Any]:
    """Return what a line's marker looks like."""
    return {
        "marker": look.marker,
        "markersize": look.size,
        "markeredgecolor": "white",
        "markeredgewidth": 0.3,
    }
