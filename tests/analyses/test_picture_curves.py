"""Every picture: its curves, bands, marks, units and legend, against the table.

The tables are random. What is expected is worked out here, with lists and `statistics`.
"""

import math
from statistics import fmean, stdev
from typing import NamedTuple

import pytest
from drawn import Curve, curves, dots, lines, upright
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from pictures import PICTURES, color_and_marker, picture
from random_tables import BLOCKS, DROPS, OWN
from rofit.figures._style import METHODS as LOOKS
from rofit.figures._style import looks

from rofit.reproduction import catalog


class Line(NamedTuple):
    """A curve a method: a column of the table by another, over some of its rows."""

    column: str
    factor: int = 1  # 100: in per cent
    style: str = "-"
    x: str = "epoch"
    x_factor: int = 1
    rows: str = "index == index"
    log: bool = False  # the mean and the deviation are of logarithms


def _strength(varied: str) -> list[Line]:
    of = f"varied == '{varied}' and checkpoint =="
    return [
        Line("accuracy", 100, style, "strength", rows=f"{of} '{checkpoint}'")
        for style, checkpoint in (("-", "last"), ("--", "best"))
    ]


def _memory(training: str) -> list[list[Line]]:
    columns = ("untouched_given", "corrupted_given", "corrupted_true", "test_clean")
    return [[Line(name, 100, rows=f"training == '{training}'")] for name in columns]


ROBUST = [Line("test_robust", 100), Line("train_robust", 100, "--")]
NOISY = {"x": "label_noise", "x_factor": 100}
# The curves in each panel; nothing of points alone.
CURVES: dict[str, list[list[Line]]] = {
    "fig1_gradnorm": [[Line("gradient_norm")], ROBUST],
    "fig2_label_assignment": [[Line("test_robust", 100)], [Line("train_robust", 100)]],
    "fig4_memorization": [*_memory("standard"), *_memory("adversarial")],
    "fig6_cifar100": [ROBUST, [Line("test_clean", 100)]],
    "fig7_iiw": [[Line("iiw_fisher", log=True)], [Line("iiw_code", log=True)]],
    "fig8_iiw_noise": [
        [Line("iiw_fisher", **NOISY, log=True)],
        [Line("corrupted_given", 100, rows="label_noise > 0", **NOISY)],
    ],
    "fig10_strength": [_strength("radius"), _strength("steps")],
    "fig11_landscape": [
        [Line("loss", x="a", rows="surface == 'weights'")],
        [
            Line("loss", x="u", rows="surface == 'inputs' and v == 0"),
            Line("loss", x="v", rows="surface == 'inputs' and u == 0", style="--"),
        ],
    ],
    "fig12_calibration": [[], [Line("ece", 100, rows="bin.isna()")]],
}
# Tested in test_picture_points, test_picture_bars, and test_theorem1_picture.
POINTS = {"fig3_confidence", "fig5_embedding", "fig9_ablation", "theorem1_information"}
# In which panel every run's best epoch is marked, and in which the drops are.
BEST = {"fig1_gradnorm": 1, "fig2_label_assignment": 0, "fig6_cifar100": 0}
DROPPED = {name: (0, 1) for name in BEST} | {"fig12_calibration": (1,)}


def _expected(table, line: Line) -> dict[tuple[str, str], Curve]:
    """Return the curves of all methods, with lists."""
    by_method: dict[str, dict[float, list[float]]] = {}
    for row in table.query(line.rows, engine="python").to_dict("records"):
        at = by_method.setdefault(row["method"], {})
        at.setdefault(line.x_factor * row[line.x], []).append(row[line.column])
    expected = {}
    for method, at in by_method.items():
        xs = sorted(at)
        if line.log:
            logs = [[math.log(value) for value in at[x]] for x in xs]
            y = [math.exp(fmean(values)) for values in logs]
            low = [a / math.exp(stdev(v)) for a, v in zip(y, logs, strict=True)]
            high = [a * math.exp(stdev(v)) for a, v in zip(y, logs, strict=True)]
        else:
            y = [line.factor * fmean(at[x]) for x in xs]
            low = [a - line.factor * stdev(at[x]) for a, x in zip(y, xs, strict=True)]
            high = [a + line.factor * stdev(at[x]) for a, x in zip(y, xs, strict=True)]
        expected[color_and_marker(method)[0], line.style] = Curve(xs, y, low, high)
    return expected


def _panels(name, figure):
    """Return the axes with the lines that they should have."""
    return list(zip(figure.axes, CURVES[name], strict=True))


def test_numbers_of_every_picture_are_tested():
    assert set(PICTURES) == CURVES.keys() | POINTS, "say here what a new one draws"
    assert set(catalog.analysis_names()) == BLOCKS.keys(), "and what its table holds"


@pytest.mark.parametrize("name", CURVES)
def test_curves_are_means_over_seeds_and_bands_one_standard_deviation(name):
    table, figure = picture(name)
    panels = [panel for panel in _panels(name, figure) if panel[1]]
    assert panels
    for axes, expected_lines in panels:
        expected = {}
        for line in expected_lines:
            expected |= _expected(table, line)
        drawn = curves(axes)
        assert drawn.keys() == expected.keys()
        for key, curve in expected.items():
            for values, by_hand in zip(drawn[key], curve, strict=True):
                assert values == pytest.approx(by_hand), (axes.get_ylabel(), key)


@pytest.mark.parametrize("name", CURVES)
def test_lines_are_drawn_in_the_methods_order_each_thinner_than_those_beneath(name):
    table, figure = picture(name)
    shown = {look.color.lower(): look.width for look in looks(table["method"]).values()}
    assert list(shown.values()) == sorted(shown.values(), reverse=True)
    assert max(shown.values()) == pytest.approx(2.6) and min(shown.values()) == 1.1
    for axes, _ in [panel for panel in _panels(name, figure) if panel[1]]:
        drawn = [line for line in lines(axes) if to_hex(line.get_color()) in shown]
        colors = [to_hex(line.get_color()) for line in drawn]
        assert list(dict.fromkeys(colors)) == list(shown)
        drawn_widths = [line.get_linewidth() for line in drawn]
        assert drawn_widths == [shown[color] for color in colors]


@pytest.mark.parametrize("name", ["fig7_iiw", "fig8_iiw_noise"])
def test_lines_of_few_places_have_their_methods_markers(name):
    _, figure = picture(name)
    marker_of = dict(color_and_marker(method) for method in (*LOOKS, OWN))
    for line in [line for axes in figure.axes for line in lines(axes)]:
        assert line.get_marker() == marker_of[to_hex(line.get_color())]


@pytest.mark.parametrize("name", CURVES)
def test_per_cent_stands_at_an_axis_where_the_numbers_are_per_cent(name):
    _, figure = picture(name)
    for axes, (line, *_) in [panel for panel in _panels(name, figure) if panel[1]]:
        assert ("%" in axes.get_xlabel()) == (line.x_factor == 100)
        side = axes.yaxis.label
        if side.get_visible() and side.get_text():
            assert ("%" in side.get_text()) == (line.factor == 100)


@pytest.mark.parametrize("name", sorted(CURVES.keys() - {"fig12_calibration"}))
def test_best_epoch_of_every_run_is_marked_on_its_curve_and_nothing_else(name):
    table, figure = picture(name)
    for number, axes in enumerate(figure.axes):
        marked = looks(table["method"]) if BEST.get(name) == number else {}
        for method, dot in zip(marked, dots(axes), strict=True):
            runs = table[(table["method"] == method) & table["best"]]
            expected = zip(runs["epoch"], 100 * runs["test_robust"], strict=True)
            assert len(dot.places) == 3, "seeds"
            assert sum(dot.places, ()) == pytest.approx(sum(sorted(expected), ()))
            assert (dot.color, dot.marker) == color_and_marker(method)


@pytest.mark.parametrize("name", PICTURES)
def test_drops_are_marked_between_the_epochs_where_the_rate_drops(name):
    _, figure = picture(name)
    for number, axes in enumerate(figure.axes):
        here = number in DROPPED.get(name, ())
        radius = [8.0] if (name, number) == ("fig10_strength", 0) else []
        assert upright(axes) == [epoch + 0.5 for epoch in DROPS if here] + radius


@pytest.mark.parametrize("name", PICTURES)
def test_all_that_is_drawn_lies_within_the_limits_of_its_axes(name):
    _, figure = picture(name)
    for axes in figure.axes:
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        places = [place for line in lines(axes) for place in line.get_xydata()]
        for scatter in axes.collections:
            if isinstance(scatter, PathCollection):
                places += list(scatter.get_offsets())
        for x, y in places:
            assert left <= x <= right and bottom <= y <= top


def test_accuracy_by_strength_begins_at_nothing_and_steps_are_logarithmic():
    _, figure = picture("fig10_strength")
    assert [axes.get_ylim()[0] for axes in figure.axes] == [0, 0]
    assert [axes.get_xscale() for axes in figure.axes] == ["linear", "log"]
    assert {axes.get_yscale() for axes in figure.axes} == {"linear"}
