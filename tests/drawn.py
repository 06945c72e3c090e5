"""What a picture shows, read from its artists: curves, bands, marks, legend."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection, PathCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from rofit.figures._style import look_of

MARKERS = "osvDP^<>Xdph*"


class Curve(NamedTuple):
    """A line with the band around it: x, y and the band's edges at x, or none."""

    x: list[float]
    y: list[float]
    low: list[float]
    high: list[float]


def lines(axes: Axes) -> list[Line2D]:
    """Return the lines in data coordinates: what axvline and axhline draw is none."""
    return [line for line in axes.lines if line.get_transform() == axes.transData]


def curves(axes: Axes) -> dict[tuple[str, str], Curve]:
    """Return the curves by colour and line style; every one must have its band."""
    bands = [
        artist for artist in axes.collections if isinstance(artist, PolyCollection)
    ]
    curves: dict[tuple[str, str], Curve] = {}
    for line, band in zip(lines(axes), bands, strict=True):
        color = to_hex(line.get_color())
        assert to_hex(band.get_facecolor()[0]) == color, "a band of another line"
        key = (color, line.get_linestyle())
        assert key not in curves, f"two curves look alike: {key}"
        xs = [float(x) for x in line.get_xdata()]
        curves[key] = Curve(xs, list(line.get_ydata()), *_edges(band, xs))
    return curves


def _edges(band: PolyCollection, xs: list[float]) -> tuple[list[float], list[float]]:
    if not band.get_paths():
        return [], []
    corners = np.concatenate([path.vertices for path in band.get_paths()])
    at = [corners[np.isclose(corners[:, 0], x), 1] for x in xs]
    assert sum(map(len, at)) == len(corners), "the band has an x that the line has not"
    return [float(y.min()) for y in at], [float(y.max()) for y in at]


class Dots(NamedTuple):
    """A scatter: its colour, its marker, and where it is."""

    color: str
    marker: str
    places: list[tuple[float, float]]


def dots(axes: Axes) -> list[Dots]:
    """Return what was scattered in one colour each, places in order."""
    return [
        Dots(
            to_hex(scatter.get_facecolor()[0]),
            _marker(scatter),
            sorted((float(x), float(y)) for x, y in scatter.get_offsets()),
        )
        for scatter in axes.collections
        if isinstance(scatter, PathCollection)
    ]


def _marker(scatter: Collection) -> str:
    (path,) = scatter.get_paths()
    for marker in MARKERS:
        style = MarkerStyle(marker)
        outline = style.get_path().transformed(style.get_transform())
        same = outline.vertices.shape == path.vertices.shape
        if same and np.allclose(outline.vertices, path.vertices):
            return marker
    raise AssertionError("no marker that methods have")


def upright(axes: Axes) -> list[float]:
    """Return where axvline drew, from left to right."""
    marks = [line for line in axes.lines if line not in lines(axes)]
    xs = [list(line.get_xdata()) for line in marks if list(line.get_ydata()) == [0, 1]]
    assert all(first == second for first, second in xs)
    return sorted(float(x) for x, _ in xs)


def legend(figure: Figure) -> list[tuple[str, str, str]]:
    """Return colour, line style and text of what the legend names."""
    (box,) = figure.legends
    handles = zip(box.legend_handles, box.get_texts(), strict=True)
    return [
        (to_hex(handle.get_color()), handle.get_linestyle(), text.get_text())
        for handle, text in handles
    ]


def note(figure: Figure) -> str:
    """Return what stands above the legend's entries, in one line."""
    (box,) = figure.legends
    return box.get_title().get_text().replace("\n", " ")


def stamp(figure: Figure) -> str:
    """Return what stands under the picture, in one line."""
    return figure.get_supxlabel().replace("\n", " ")


def color_of(method: str) -> str:
    """Return the method's colour as artists say it."""
    return look_of(method).color.lower()
