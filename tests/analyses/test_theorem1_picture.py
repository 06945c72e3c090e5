"""Theorem 1's picture: information with its standard error, and its bound.

The tables are random. What is expected is worked out here, with lists and `statistics`.
"""

from statistics import fmean

import pytest
from drawn import color_of, curves, legend, lines, note
from matplotlib.colors import to_hex
from random_tables import FIVE, random_table, values
from rofit.figures import theorem1_information
from rofit.figures._style import look_of


def test_information_has_the_standard_error_over_networks_and_its_bound_none():
    table = random_table("theorem1_information")
    figure = theorem1_information.draw(table)
    titles = [axes.get_title() for axes in figure.axes]
    assert sorted(titles) == ["test attacked", "test clean", "train clean"]
    for axes in figure.axes:
        of = {"images": axes.get_title()}
        drawn = _bounds_taken_off(axes, {m: of | {"method": m} for m in FIVE}, table)
        for method in FIVE:
            curve = drawn[color_of(method), "-"]
            for share, *ends in zip(*curve, strict=True):
                setting = of | {"method": method, "share": share}
                mean = fmean(values(table, "information", **setting))
                (error,) = set(values(table, "error", **setting))
                assert ends == pytest.approx([mean, mean - error, mean + error])
    styles = [("#4c4c4c", "-", "measured"), ("#4c4c4c", "--", "bound")]
    shown = [(color_of(name), "-", look_of(name).label) for name in FIVE]
    assert legend(figure) == shown + styles
    assert note(figure) == "bands: standard error over networks"


def _bounds_taken_off(axes, of, table):
    """Return the curves that have bands, after a look at those that have none."""
    for line in [line for line in lines(axes) if line.get_linestyle() == "--"]:
        (method,) = (name for name in of if color_of(name) == to_hex(line.get_color()))
        xs = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
        bound = [fmean(values(table, "bound", **of[method], share=x)) for x in xs]
        assert list(line.get_xdata()) == xs
        assert list(line.get_ydata()) == pytest.approx(bound)
        line.remove()
    return curves(axes)


def test_information_of_too_few_networks_has_no_band_and_none_is_spoken_of():
    table = random_table("theorem1_information").assign(error=float("nan"))
    figure = theorem1_information.draw(table)
    assert not any(len(axes.collections) for axes in figure.axes)
    assert note(figure) == ""
    assert [len(lines(axes)) for axes in figure.axes] == [2 * len(FIVE)] * 3
