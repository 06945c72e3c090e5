"""Where curves lie in their pictures, and which numbers stand beside them."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rofit.report import svg
from rofit.report.svg import Mark, Series, chart, spark, steps

FINITE = st.floats(-1e9, 1e9)


def _points(path):
    return [tuple(map(float, point.split())) for point in path[1:].split("L")]


def test_line_goes_through_the_corners_that_its_values_have():
    drawn = chart("loss", "nats", [Series("a", [1, 2, 3], [10.0, 30.0, 20.0], "s0")])
    (line,) = drawn.lines
    # 6 % of room on both sides of 10 to 30, not below 0
    low, high = 10 - 1.2, 30 + 1.2
    places = [172 - (172 - 10) * (y - low) / (high - low) for y in (10, 30, 20)]
    expected = list(zip([44, 197, 350], places, strict=True))
    assert _points(line.path) == pytest.approx(
        [pytest.approx(point, abs=0.06) for point in expected]
    )
    assert line.dots == _points(line.path)


def test_numbers_of_all_series_stand_by_position_with_gaps_left_empty():
    series = [
        Series("a", [1, 2], [0.5, math.nan], "s0"),
        Series("b", [2, 4], [0.25, 0.125], "s1"),
    ]
    drawn = chart("accuracy", "", series)
    assert drawn.names == ["a", "b"]
    assert drawn.rows == [["1", "0.5", ""], ["2", "", "0.25"], ["4", "", "0.125"]]
    assert json.loads(drawn.data)["rows"] == drawn.rows


def test_nothing_is_drawn_of_no_finite_value():
    assert chart("a", "", []) is None
    assert chart("a", "", [Series("a", [1.0], [math.nan], "s0")]) is None


def test_values_over_decades_have_a_logarithmic_axis_that_is_said():
    drawn = chart("rate", "", [Series("a", [1, 2, 3], [0.1, 0.01, 0.001], "s0")])
    assert drawn.unit == "log"
    assert [tick.text for tick in drawn.y_ticks] == ["0.001", "0.01", "0.1"]
    y = [y for _, y in _points(drawn.lines[0].path)]
    assert y[1] - y[0] == pytest.approx(y[2] - y[1], abs=0.11)
    plain = chart("rate", "", [Series("a", [1, 2], [0.0, 100.0], "s0")])
    assert plain.unit == ""


def test_marks_and_drops_lie_on_the_axes_of_the_lines():
    series = [Series("a", [0, 10], [0.0, 1.0], "s0")]
    named = Mark(10, 1.0, "last")
    drawn = chart("a", "", series, marks=[named], drops=[5.0, 11.0])
    (mark,), (drop,) = drawn.marks, drawn.drops
    assert (mark.x, mark.y) == _points(drawn.lines[0].path)[1]
    assert drop == 197  # the one beyond the axis is left out


def test_series_beyond_those_that_can_be_told_apart_are_in_the_numbers():
    series = [Series(str(k), [1.0], [1.0 + k], "s0") for k in range(15)]
    drawn = chart("a", "", series)
    assert len(drawn.lines) == 12 and drawn.hidden == 3
    assert len(drawn.rows[0]) == 16


@given(st.lists(FINITE, min_size=1, max_size=30))
def test_every_point_lies_inside_of_the_plot(values):
    drawn = chart("a", "", [Series("a", range(len(values)), values, "s0")])
    for x, y in _points(drawn.lines[0].path):
        assert svg.LEFT <= x <= svg.RIGHT
        assert svg.TOP - 0.1 <= y <= svg.BOTTOM + 0.1


@given(FINITE, st.floats(1e-3, 1e9), st.integers(1, 9))
def test_steps_are_few_evenly_apart_and_inside(low, span, count):
    numbers = steps(low, low + span, count)
    assert len(numbers) <= count + 1
    room = 1e-6 * span + 1e-9
    assert all(low - room <= number <= low + span + room for number in numbers)


def test_small_curve_goes_from_corner_to_corner():
    assert spark([(0, 0.2), (100, 0.8)], 100, 0.2, 0.8) == "M1.0 30.0L119.0 2.0"
    assert spark([(50, 0.5)], 100, 0.2, 0.8) == "M60.0 16.0"
