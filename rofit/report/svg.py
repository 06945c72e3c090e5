"""Curves as inline SVG: where lines, ticks and marks lie in a small picture.

Only geometry; the template `chart.html` draws it, and escapes every text. All pictures
have one size, so that letters are as large on a phone as on a screen.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

WIDTH, HEIGHT = 360, 200  # of a chart's view box, near to pixels
LEFT, TOP, RIGHT, BOTTOM = 44, 10, 350, 172  # of its plot
SPARK_WIDTH, SPARK_HEIGHT = 120, 32
_MOST_LINES = 12  # that can be told apart
_LOGARITHMIC = 50  # from this ratio of largest to smallest


class Series(NamedTuple):
    """One line: values by position, NaN where there is none; *style* a CSS class."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    style: str


class Mark(NamedTuple):
    """A point that is named: best, last."""

    x: float
    y: float
    text: str


class Tick(NamedTuple):
    """A line of the grid: where it lies in the view box, and its number."""

    at: float
    text: str


class Line(NamedTuple):
    """A series as drawn: its path, and dots where it has few points."""

    name: str
    style: str
    path: str
    dots: list[tuple[float, float]]


@dataclass(frozen=True)
class Chart:
    """A picture of curves, and the numbers that it shows.

    Attributes:
        title: what is shown.
        unit: of the values.
        x_label: of the positions.
        rows: a row a position: its text, then a text a series, empty without a value.
        hidden: number of series that are in rows only.
        data: what the pointer shows, as JSON.
    """

    title: str
    unit: str
    x_label: str
    lines: list[Line]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    marks: list[Mark]
    drops: list[float]
    names: list[str]
    rows: list[list[str]]
    hidden: int
    data: str


def chart(
    title: str,
    unit: str,
    series: Sequence[Series],
    *,
    x_label: str = "epoch",
    marks: Iterable[Mark] = (),
    drops: Iterable[float] = (),
) -> Chart | None:
    """Return a chart of the series; None where none has a finite value.

    Args:
        title: what is shown.
        unit: of the values.
        series: the first twelve are drawn, all are in the table of numbers.
        x_label: of the positions.
        marks: points to be named.
        drops: positions of vertical lines.
    """
    shown = [one for one in series[:_MOST_LINES] if any(map(math.isfinite, one.y))]
    values = [y for one in shown for y in one.y if math.isfinite(y)]
    if not values:
        return None
    logarithmic = min(values) > 0 and max(values) > _LOGARITHMIC * min(values)
    y_axis = _Axis.around(values, BOTTOM, TOP, logarithmic)
    x_axis = _Axis.exactly([x for one in shown for x in one.x], LEFT, RIGHT)
    positions = sorted({x for one in series for x in one.x})
    by_position = [dict(zip(one.x, one.y, strict=True)) for one in series]
    rows = [
        [f"{x:g}", *(number(values.get(x, math.nan)) for values in by_position)]
        for x in positions
    ]
    names = [one.name for one in series]
    data = {
        "x": [round(x_axis.at(x), 1) for x in positions],
        "rows": rows,
        "names": names,
        "styles": [one.style for one in series],
        "label": x_label,
        "drawn": len(shown),
    }
    return Chart(
        title,
        ", ".join([unit] * bool(unit) + ["log"] * logarithmic),
        x_label,
        [_line(one, x_axis, y_axis) for one in shown],
        x_axis.ticks(6),
        y_axis.ticks(6),
        [
            Mark(x_axis.at(m.x), y_axis.at(m.y), m.text)
            for m in marks
            if math.isfinite(m.y)
        ],
        [x_axis.at(x) for x in drops if x_axis.low <= x <= x_axis.high],
        names,
        rows,
        max(len(series) - _MOST_LINES, 0),
        json.dumps(data),
    )


def spark(
    values: Sequence[tuple[float, float]], end: float, low: float, high: float
) -> str:
    """Return the path of a curve without axes: 0 to *end* by *low* to *high*."""
    span = (high - low) or 1.0
    return _path(
        (
            1 + (SPARK_WIDTH - 2) * x / max(end, 1),
            SPARK_HEIGHT - 2 - (SPARK_HEIGHT - 4) * (y - low) / span,
        )
        for x, y in values
    )


def number(value: float) -> str:
    """Return four digits of a number; nothing for NaN.

    Examples:
        >>> number(0.123456), number(1234567.0), number(float("nan"))
        ('0.1235', '1.235e+06', '')
    """
    return "" if math.isnan(value) else f"{value:.4g}"


def steps(low: float, high: float, count: int) -> list[float]:
    """Return round numbers in [low, high], at most *count* + 1 of them.

    Examples:
        >>> steps(0, 1, 4), steps(3, 118, 6)
        ([0.0, 0.5, 1.0], [20.0, 40.0, 60.0, 80.0, 100.0])
    """
    rough = (high - low) / count or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


class _Axis(NamedTuple):
    """From values to places: *low* at *begin*, *high* at *end*."""

    low: float
    high: float
    begin: float
    end: float
    logarithmic: bool = False

    @classmethod
    def exactly(cls, values: Sequence[float], begin: float, end: float) -> "_Axis":
        low, high = min(values), max(values)
        return (
            cls(low, high, begin, end)
            if high > low
            else cls.around(values, begin, end, False)
        )

    @classmethod
    def around(
        cls, values: Sequence[float], begin: float, end: float, logarithmic: bool
    ) -> "_Axis":
        if logarithmic:
            low, high = math.log10(min(values)), math.log10(max(values))
        else:
            low, high = min(values), max(values)
        room = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
        bottom = 0.0 if low >= 0 > low - room and not logarithmic else low - room
        return cls(bottom, high + room, begin, end, logarithmic)

    def at(self, value: float) -> float:
        return self._place(math.log10(value) if self.logarithmic else value)

    def _place(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.begin + share * (self.end - self.begin), 1)

    def ticks(self, count: int) -> list[Tick]:
        if not self.logarithmic:
            values = steps(self.low, self.high, count)
            return [Tick(self.at(v), f"{v:g}") for v in values]
        exponents = range(math.ceil(self.low), math.floor(self.high) + 1)
        every = max(1, math.ceil(len(exponents) / count))
        return [
            Tick(self._place(e), f"{10.0**e:g}" if abs(e) < 5 else f"1e{e}")
            for e in exponents[::every]
        ]


def _line(series: Series, x_axis: _Axis, y_axis: _Axis) -> Line:
    points = [
        (x_axis.at(x), y_axis.at(y))
        for x, y in zip(series.x, series.y, strict=True)
        if math.isfinite(y)
    ]
    few = points if len(points) <= 40 else []
    return Line(series.name, series.style, _path(points), few)


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
