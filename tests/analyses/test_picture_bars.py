"""Pictures of points with bars: confidences and the ablation, against the table.

The tables are random. What is expected is worked out here, with lists and `statistics`.
"""

from statistics import fmean, stdev

import pytest
from drawn import color_of, legend, lines, note
from matplotlib.colors import to_hex
from random_tables import FIVE, SEEDS, random_table, values
from rofit.figures import fig3_confidence, fig9_ablation
from rofit.figures._style import look_of


def test_confidence_is_a_mean_and_its_bar_one_standard_deviation():
    table = random_table("fig3_confidence")
    figure = fig3_confidence.draw(table)
    limits = {axes.get_ylim() for axes in figure.axes}
    panels = [(c, a) for c in ("best", "last") for a in ("none", "pgd20")]
    for axes, (checkpoint, attack) in zip(figure.axes, panels, strict=True):
        of = {"checkpoint": checkpoint, "attack": attack}
        drawn = iter(lines(axes))  # a method's points, then the bar of each
        lefts = []
        for method in FIVE:
            points, *bars = (next(drawn) for _ in range(3))
            lefts.append(points.get_xdata()[0])
            assert to_hex(points.get_color()) == color_of(method)
            assert points.get_marker() == look_of(method).marker
            assert to_hex(points.get_markerfacecolor()) == "#ffffff", "hides no bar"
            kinds = ("correct", "incorrect")
            for place, (kind, bar) in enumerate(zip(kinds, bars, strict=True)):
                confidences = values(
                    table, "confidence", method=method, predictions=kind, **of
                )
                assert len(confidences) == len(SEEDS)
                mean, sd = fmean(confidences), stdev(confidences)
                x, y = points.get_xydata()[place]
                assert y == pytest.approx(mean) and round(x) == place
                assert list(bar.get_xdata()) == [x, x]
                assert list(bar.get_ydata()) == pytest.approx([mean - sd, mean + sd])
                assert to_hex(bar.get_color()) == color_of(method)
        assert lefts == sorted(lefts) and not list(drawn)
        assert axes.get_title() == checkpoint + (
            ", PGD-20" * (attack != "none") or ", clean"
        )
        assert axes.get_xlabel() == "predictions"
    ((bottom, top),) = limits
    ends = [y for axes in figure.axes for line in lines(axes) for y in line.get_ydata()]
    assert min(ends) - 0.05 < bottom < min(ends) and max(ends) < top < max(ends) + 0.05
    assert note(figure) == "means over seeds, bars: one standard deviation"
    expected = [(color_of(name), "None", look_of(name).label) for name in FIVE]
    assert legend(figure) == expected


def test_ablation_has_means_with_bars_and_the_plain_method_as_a_level():
    table = random_table("fig9_ablation")
    figure = fig9_ablation.draw(table)
    settings = ("r", "label_momentum", "start")
    styles = {"last": "-", "best": "--"}
    for axes, name in zip(figure.axes, settings, strict=True):
        varied = sorted(set(values(table, "value", varied=name)))
        of_data = lines(axes)
        levels = {x.get_linestyle(): x for x in axes.lines if x not in of_data}
        for (column, style), bars in zip(styles.items(), axes.containers, strict=True):
            line, _, (segments,) = bars
            assert line.get_linestyle() == style and line.get_marker() == "P"
            assert to_hex(line.get_color()) == color_of("sglr")
            assert list(line.get_xdata()) == varied
            for x, y, bar in zip(
                varied, line.get_ydata(), segments.get_segments(), strict=True
            ):
                accuracies = values(table, column, varied=name, value=x)
                mean, sd = 100 * fmean(accuracies), 100 * stdev(accuracies)
                assert len(accuracies) == len(SEEDS) and y == pytest.approx(mean)
                ends = [x, mean - sd, x, mean + sd]
                assert bar.flatten().tolist() == pytest.approx(ends)
            plain = 100 * fmean(values(table, column, varied="pgd_at"))
            level = levels[style]
            assert to_hex(level.get_color()) == "#999999"
            assert level.get_linewidth() > line.get_linewidth(), "seen beneath"
            assert list(level.get_ydata()) == pytest.approx([plain, plain])
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    handles = figure.legends[0].legend_handles
    for handle, text in zip(handles, texts, strict=True):
        label, column = text.rsplit(", ", 1)
        line = handle[0] if isinstance(handle, tuple) else handle
        name = {"#999999": "pgd_at", color_of("sglr"): "sglr"}[_drawn_in(line)]
        assert label == look_of(name).label and column in styles
    assert len(texts) == 4
    assert note(figure) == "means over seeds, bars: one standard deviation"


def test_ablation_of_one_seed_has_no_bars_and_says_what_no_setting_changes():
    table = random_table("fig9_ablation")
    table = table[table["seed"] == SEEDS[0]]
    figure = fig9_ablation.draw(table)
    assert note(figure) == "one seed: no bars"
    figure = fig9_ablation.draw(table.assign(best=0.204))
    for axes in figure.axes:
        for line, caps, bars in axes.containers:
            assert not caps and not bars and len(line.get_xdata()) > 2
    assert note(figure) == (
        "one seed: no bars; SGLR (our reading), best: 20.4 % at every setting (reached "
        "before refinement has an effect)"
    )


def _drawn_in(artist) -> str:
    color = artist.get_color()
    return to_hex(color[0] if len(color) == 1 else color)
