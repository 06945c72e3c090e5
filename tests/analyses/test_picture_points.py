"""Pictures that are not curves alone: points, bars, maps and bins, against the table.

The tables are random. What is expected is worked out here, with lists and `statistics`.
"""

from statistics import fmean, stdev

import pytest
from drawn import dots, legend, lines
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from random_tables import FIVE, GUIDED, NOISE, OWN, SEEDS, SOFT, random_table
from rofit.figures import (
    fig3_confidence,
    fig5_embedding,
    fig9_ablation,
    fig11_landscape,
    fig12_calibration,
)
from rofit.figures._style import LABELS, look_of

TAB10 = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd"]
TAB10 += ["#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"]


def _values(table, column: str, **about) -> list[float]:
    """Return a column in the rows that agree with *about*."""
    return [
        row[column]
        for row in table.to_dict("records")
        if all(row[name] == value for name, value in about.items())
    ]


def _color(method: str) -> str:
    return look_of(method).color.lower()


def test_confidence_is_a_mean_and_its_bar_one_standard_deviation():
    table = random_table("fig3_confidence")
    figure = fig3_confidence.draw(table)
    panels = [(c, a) for c in ("best", "last") for a in ("none", "pgd20")]
    for axes, (checkpoint, attack) in zip(figure.axes, panels, strict=True):
        of = {"checkpoint": checkpoint, "attack": attack}
        drawn = iter(lines(axes))  # a method's points, then the bar of each
        lefts = []
        for method in FIVE:
            points, *bars = (next(drawn) for _ in range(3))
            lefts.append(points.get_xdata()[0])
            assert to_hex(points.get_color()) == _color(method)
            assert points.get_marker() == look_of(method).marker
            kinds = ("correct", "incorrect")
            for place, (kind, bar) in enumerate(zip(kinds, bars, strict=True)):
                confidences = _values(
                    table, "confidence", method=method, predictions=kind, **of
                )
                assert len(confidences) == len(SEEDS)
                mean, sd = fmean(confidences), stdev(confidences)
                x, y = points.get_xydata()[place]
                assert y == pytest.approx(mean) and round(x) == place
                assert list(bar.get_xdata()) == [x, x]
                assert list(bar.get_ydata()) == pytest.approx([mean - sd, mean + sd])
                assert to_hex(bar.get_color()) == _color(method)
        assert lefts == sorted(lefts) and not list(drawn)
        assert axes.get_ylim() == (0, 1)
    expected = [(_color(name), "None", look_of(name).label) for name in FIVE]
    assert legend(figure) == expected


def test_maps_have_the_last_places_of_images_in_the_colours_of_their_classes():
    table = random_table("fig5_embedding")
    figure = fig5_embedding.draw(table)
    panels = [(method, noise) for method in SOFT for noise in NOISE]
    labels = LABELS | {OWN: OWN}
    for axes, (method, noise) in zip(figure.axes, panels, strict=True):
        of = {"method": method, "label_noise": noise, "epoch": 6}
        expected = {
            (x, y): TAB10[int(number)]
            for x, y, number in zip(
                *(_values(table, c, **of, seed=SEEDS[0]) for c in ("tsne_1", "tsne_2")),
                _values(table, "class", **of, seed=SEEDS[0]),
                strict=True,
            )
        }
        (scatter,) = axes.collections
        colors = map(to_hex, scatter.get_facecolors())
        places = [(float(x), float(y)) for x, y in scatter.get_offsets()]
        assert (
            dict(zip(places, colors, strict=True)) == expected and len(expected) == 30
        )
        knn, silhouette = (
            fmean([_values(table, name, **of, seed=seed)[0] for seed in SEEDS])
            for name in ("knn_accuracy", "silhouette")
        )
        caption = f"k-NN {100 * knn:.1f} %, silhouette {silhouette:.2f}"
        assert axes.get_xlabel() == caption
        assert axes.get_title() == (f"{100 * noise:.0f}% noise" * (method == "pgd_at"))
        assert not len(axes.get_xticks()) and axes.get_legend() is None
        assert axes.get_ylabel() == labels[method] * (noise == 0)


def test_ablation_has_means_with_bars_and_the_plain_method_as_a_level():
    table = random_table("fig9_ablation")
    figure = fig9_ablation.draw(table)
    settings = ("r", "label_momentum", "start")
    styles = {"last": "-", "best": "--"}
    for axes, name in zip(figure.axes, settings, strict=True):
        values = sorted(set(_values(table, "value", varied=name)))
        levels = {line.get_linestyle(): line for line in axes.lines}
        for (column, style), bars in zip(styles.items(), axes.containers, strict=True):
            line, _, (segments,) = bars
            assert line.get_linestyle() == style and line.get_marker() == "P"
            assert to_hex(line.get_color()) == _color("sglr")
            assert list(line.get_xdata()) == values
            for x, y, bar in zip(
                values, line.get_ydata(), segments.get_segments(), strict=True
            ):
                accuracies = _values(table, column, varied=name, value=x)
                mean, sd = 100 * fmean(accuracies), 100 * stdev(accuracies)
                assert len(accuracies) == len(SEEDS) and y == pytest.approx(mean)
                ends = [x, mean - sd, x, mean + sd]
                assert bar.flatten().tolist() == pytest.approx(ends)
            plain = 100 * fmean(_values(table, column, varied="pgd_at"))
            level = levels[style]
            assert to_hex(level.get_color()) == "#808080"
            assert list(level.get_ydata()) == pytest.approx([plain, plain])
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    handles = figure.legends[0].legend_handles
    for handle, text in zip(handles, texts, strict=True):
        label, column = text.rsplit(", ", 1)
        line = handle[0] if isinstance(handle, tuple) else handle
        name = {"#808080": "pgd_at", _color("sglr"): "sglr"}[_drawn_in(line)]
        assert label == look_of(name).label and column in styles
    assert len(texts) == 4


def _drawn_in(artist) -> str:
    color = artist.get_color()
    return to_hex(color[0] if len(color) == 1 else color)


def test_planes_are_means_of_the_loss_along_the_sign_and_across_it():
    table = random_table("fig11_landscape")
    _, *panels, bar = fig11_landscape.draw(table).axes
    across, along = (-8.0, 0.0, 8.0), (-8.0, -4.0, 0.0, 4.0, 8.0)
    for axes, method in zip(panels, FIVE, strict=True):
        assert axes.get_title() == look_of(method).label
        loss = [
            [fmean(_values(table, "loss", method=method, u=u, v=v)) for u in along]
            for v in across
        ]
        (drawn,) = axes.collections
        levels = drawn.levels
        assert bar.get_ylim() == (levels[0], levels[-1])
        twin = Figure().subplots().contourf(along, across, loss, levels)
        for path, by_hand in zip(drawn.get_paths(), twin.get_paths(), strict=True):
            corners = by_hand.vertices.flatten().tolist()
            assert path.vertices.flatten().tolist() == pytest.approx(corners)
        assert axes.get_xlabel() == "gradient's sign (1/255)"
    assert panels[0].get_ylabel() == "random signs (1/255)"


def test_reliability_has_every_seeds_images_as_if_they_were_one_set():
    table = random_table("fig12_calibration")
    left, _ = fig12_calibration.draw(table).axes
    diagonal, *drawn = lines(left)
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert left.get_xlim() == left.get_ylim() == (0, 1)
    bins = table[table["bin"].notna() & (table["images"] > 0)]
    for method, line, dot, scatter in zip(
        sorted(GUIDED), drawn, dots(left), left.collections, strict=True
    ):
        pooled: dict[float, list[dict]] = {}
        for row in bins[bins["method"] == method].to_dict("records"):
            pooled.setdefault(row["bin"], []).append(row)
        counts = [sum(row["images"] for row in pooled[b]) for b in sorted(pooled)]
        x, y = (
            [
                sum(row["images"] * row[column] for row in pooled[b]) / n
                for b, n in zip(sorted(pooled), counts, strict=True)
            ]
            for column in ("confidence", "accuracy")
        )
        assert to_hex(line.get_color()) == _color(method)
        assert list(line.get_xdata()) == pytest.approx(x)
        assert list(line.get_ydata()) == pytest.approx(y)
        assert (dot.color, dot.marker) == (_color(method), look_of(method).marker)
        assert scatter.get_offsets().tolist() == line.get_xydata().tolist()
        area = [60 * n / sum(counts) for n in counts]
        assert list(scatter.get_sizes()) == pytest.approx(area)
