"""Every picture: its curves, bands, marks, units and legend, against the table.

The tables are random. What is expected is worked out here, with lists and `statistics`.
"""

import functools
from statistics import fmean, stdev
from typing import NamedTuple

import pytest
from drawn import Curve, curves, dots, legend, lines, upright
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from random_tables import BLOCKS, DROPS, OWN, random_table
from rofit.figures._style import LABELS, look_of
from rofit.figures._style import METHODS as LOOKS

from rofit.reproduction import catalog

PICTURES = [
    name
    for name in catalog.analysis_names()
    if hasattr(catalog.load_figure(name), "draw")
]


class Line(NamedTuple):
    """A curve a method: a column of the table by another, over some of its rows."""

    column: str
    factor: int = 1  # 100: in per cent
    style: str = "-"
    x: str = "epoch"
    x_factor: int = 1
    rows: str = "index == index"
    banded: bool = True


def _strength(varied: str) -> list[Line]:
    of = f"varied == '{varied}' and checkpoint =="
    return [
        Line("accuracy", 100, style, "strength", rows=f"{of} '{checkpoint}'")
        for style, checkpoint in (("-", "last"), ("--", "best"))
    ]


def _memory(training: str) -> list[list[Line]]:
    columns = ("untouched_given", "corrupted_given", "corrupted_true", "test_clean")
    return [[Line(name, 100, rows=f"training == '{training}'")] for name in columns]


def _theorem(images: str) -> list[Line]:
    about = {"x": "share", "rows": f"images == '{images}'", "banded": False}
    return [Line("information", **about), Line("bound", style="--", **about)]


ROBUST = [Line("test_robust", 100), Line("train_robust", 100, "--")]
NOISY = {"x": "label_noise", "x_factor": 100}
# The curves in each panel; nothing of points alone.
CURVES: dict[str, list[list[Line]]] = {
    "fig1_gradnorm": [[Line("gradient_norm")], ROBUST],
    "fig2_label_assignment": [[Line("test_robust", 100)], [Line("train_robust", 100)]],
    "fig4_memorization": [*_memory("standard"), *_memory("adversarial")],
    "fig6_cifar100": [ROBUST, [Line("test_clean", 100)]],
    "fig7_iiw": [[Line("iiw_fisher")], [Line("iiw_code")]],
    "fig8_iiw_noise": [
        [Line("iiw_fisher", **NOISY)],
        [Line("corrupted_given", 100, rows="label_noise > 0", **NOISY)],
    ],
    "fig10_strength": [_strength("radius"), _strength("steps")],
    "fig11_landscape": [[Line("loss", x="a", rows="surface == 'weights'")]],
    "fig12_calibration": [[], [Line("gradient_norm", rows="bin.isna()")]],
    "theorem1_information": [],  # by title, which depends on the order of rows
}
# Of points: tests/analyses/test_picture_points.py.
POINTS = {"fig3_confidence", "fig5_embedding", "fig9_ablation"}
# In which panel every run's best epoch is marked, and in which the drops are.
BEST = {"fig1_gradnorm": 1, "fig2_label_assignment": 0, "fig6_cifar100": 0}
DROPPED = {name: (0, 1) for name in BEST} | {"fig12_calibration": (1,)}
GREY = "#4c4c4c"
STYLES = {  # what the legend says of line styles
    "fig1_gradnorm": {
        "-": "test",
        "--": "train, on the fly",
        "None": "best, chosen on validation",
    },
    "fig6_cifar100": {"-": "test", "--": "train, on the fly"},
    "fig10_strength": {"-": "last", "--": "best"},
    "theorem1_information": {"-": "measured", "--": "bound"},
}


@functools.cache
def _drawn(name):
    """Return the random table and the picture of it."""
    table = random_table(name)
    return table, catalog.load_figure(name).draw(table)


def _look(method: str) -> tuple[str, str]:
    return look_of(method).color.lower(), look_of(method).marker


def _expected(table, line: Line) -> dict[tuple[str, str], Curve]:
    """Return the curves of all methods, with lists."""
    by_method: dict[str, dict[float, list[float]]] = {}
    for row in table.query(line.rows, engine="python").to_dict("records"):
        at = by_method.setdefault(row["method"], {})
        at.setdefault(line.x_factor * row[line.x], []).append(row[line.column])
    expected = {}
    for method, at in by_method.items():
        xs = sorted(at)
        y = [line.factor * fmean(at[x]) for x in xs]
        sd = [line.factor * stdev(at[x]) for x in xs] if line.banded else []
        low = [a - b for a, b in zip(y, sd, strict=False)]
        high = [a + b for a, b in zip(y, sd, strict=False)]
        expected[_look(method)[0], line.style] = Curve(xs, y, low, high)
    return expected


def _panels(name, figure):
    """Return the axes with the lines that they should have."""
    if name == "theorem1_information":
        return [(axes, _theorem(axes.get_title())) for axes in figure.axes]
    return list(zip(figure.axes, CURVES[name], strict=False))


def test_numbers_of_every_picture_are_tested():
    assert set(PICTURES) == CURVES.keys() | POINTS, "say here what a new one draws"
    assert set(catalog.analysis_names()) == BLOCKS.keys(), "and what its table holds"


@pytest.mark.parametrize("name", CURVES)
def test_curves_are_means_over_seeds_and_bands_one_standard_deviation(name):
    table, figure = _drawn(name)
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


@pytest.mark.parametrize("name", ["fig7_iiw", "fig8_iiw_noise"])
def test_lines_of_few_places_have_their_methods_markers(name):
    _, figure = _drawn(name)
    marker_of = dict(_look(method) for method in (*LOOKS, OWN))
    for line in [line for axes in figure.axes for line in lines(axes)]:
        assert line.get_marker() == marker_of[to_hex(line.get_color())]


@pytest.mark.parametrize("name", CURVES)
def test_per_cent_stands_at_an_axis_where_the_numbers_are_per_cent(name):
    _, figure = _drawn(name)
    for axes, (line, *_) in [panel for panel in _panels(name, figure) if panel[1]]:
        assert ("%" in axes.get_xlabel()) == (line.x_factor == 100)
        side = axes.yaxis.label
        if side.get_visible() and side.get_text():
            assert ("%" in side.get_text()) == (line.factor == 100)


@pytest.mark.parametrize("name", sorted(CURVES.keys() - {"fig12_calibration"}))
def test_best_epoch_of_every_run_is_marked_on_its_curve_and_nothing_else(name):
    table, figure = _drawn(name)
    for number, axes in enumerate(figure.axes):
        marked = sorted(set(table["method"])) if BEST.get(name) == number else []
        for method, dot in zip(marked, dots(axes), strict=True):
            runs = table[(table["method"] == method) & table["best"]]
            expected = zip(runs["epoch"], 100 * runs["test_robust"], strict=True)
            assert len(dot.places) == 3, "seeds"
            assert sum(dot.places, ()) == pytest.approx(sum(sorted(expected), ()))
            assert (dot.color, dot.marker) == _look(method)


@pytest.mark.parametrize("name", PICTURES)
def test_drops_are_marked_between_the_epochs_where_the_rate_drops(name):
    _, figure = _drawn(name)
    for number, axes in enumerate(figure.axes):
        here = number in DROPPED.get(name, ())
        assert upright(axes) == [epoch + 0.5 for epoch in DROPS if here]


@pytest.mark.parametrize("name", PICTURES)
def test_all_that_is_drawn_lies_within_the_limits_of_its_axes(name):
    _, figure = _drawn(name)
    for axes in figure.axes:
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        places = [place for line in lines(axes) for place in line.get_xydata()]
        for scatter in axes.collections:
            if isinstance(scatter, PathCollection):
                places += list(scatter.get_offsets())
        for x, y in places:
            assert left <= x <= right and bottom <= y <= top


def test_accuracy_by_strength_begins_at_nothing_and_steps_are_logarithmic():
    _, figure = _drawn("fig10_strength")
    assert [axes.get_ylim()[0] for axes in figure.axes] == [0, 0]
    assert [axes.get_xscale() for axes in figure.axes] == ["linear", "log"]
    assert {axes.get_yscale() for axes in figure.axes} == {"linear"}


@pytest.mark.parametrize("name", sorted(set(PICTURES) - POINTS))
def test_legend_names_each_colour_and_line_style_as_what_they_are_drawn_for(name):
    table, figure = _drawn(name)
    names = LABELS if name == "fig4_memorization" else {}
    shown = [name for name in (*LOOKS, OWN) if name in set(table["method"])]
    assert legend(figure) == [
        (_look(method)[0], "-", names.get(method, look_of(method).label))
        for method in (sorted(shown) if name == "fig1_gradnorm" else shown)
    ] + [(GREY, style, text) for style, text in STYLES.get(name, {}).items()]


@pytest.mark.parametrize("name", PICTURES)
def test_stamp_says_scale_data_and_seeds_unless_it_is_the_papers(name):
    _, figure = _drawn(name)
    about = "scale demo, not the paper's · digits, linf 8/255 · 3 seed(s)"
    assert figure.get_supxlabel() == f"rofit · {about}"
    paper = catalog.load_figure(name).draw(random_table(name, scale="paper"))
    assert paper.get_supxlabel() == ""
