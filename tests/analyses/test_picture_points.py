"""Pictures of points: maps of images and bins of reliability, against the table.

The tables are random. What is expected is worked out here, with lists and `statistics`.
"""

from statistics import fmean

import pytest
from drawn import color_of, dots, legend, lines, note
from matplotlib.colors import to_hex
from random_tables import GUIDED, NOISE, OWN, SEEDS, SOFT, random_table, values
from rofit.figures import fig5_embedding, fig12_calibration
from rofit.figures._style import COLUMN, LABELS, PAGE, look_of, looks

TAB10 = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd"]
TAB10 += ["#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"]


@pytest.mark.parametrize("width", [PAGE, COLUMN])
def test_maps_have_images_and_means_of_classes_in_the_colours_of_classes(width):
    table = random_table("fig5_embedding")
    figure = fig5_embedding.draw(table, width)
    noises = NOISE if width == PAGE else (NOISE[0], NOISE[-1])
    panels = [(method, noise) for method in SOFT for noise in noises]
    labels = LABELS | {OWN: OWN}
    for axes, (method, noise) in zip(figure.axes, panels, strict=True):
        of = {"method": method, "label_noise": noise, "epoch": 6}
        expected = list(
            zip(
                *(values(table, c, **of, seed=SEEDS[0]) for c in ("tsne_1", "tsne_2")),
                (TAB10[int(n)] for n in values(table, "class", **of, seed=SEEDS[0])),
                strict=True,
            )
        )
        images, means = (_places(scatter) for scatter in axes.collections)
        assert sorted(images) == sorted(expected) and len(expected) == 30
        for color, (x, y, drawn) in zip(TAB10, means, strict=True):
            members = [place for place in expected if place[2] == color]
            assert (x, y) == pytest.approx(
                [fmean(p[i] for p in members) for i in (0, 1)]
            )
            assert drawn == color
        knn, silhouette = (
            fmean([values(table, name, **of, seed=seed)[0] for seed in SEEDS])
            for name in ("knn_accuracy", "silhouette")
        )
        caption = f"k-NN {100 * knn:.1f} %, silhouette {silhouette:.2f}"
        assert axes.get_xlabel() == caption
        assert axes.get_title() == (f"{100 * noise:.0f}% noise" * (method == "pgd_at"))
        assert not len(axes.get_xticks()) and axes.get_legend() is None
        assert axes.get_ylabel() == labels[method] * (noise == 0)
    classes = [(color, "None", f"class {n}") for n, color in enumerate(TAB10)]
    assert legend(figure) == classes
    about = "maps of seed 3; numbers: means over 3 seeds; large marks: means of classes"
    assert note(figure) == about


def _places(scatter) -> list[tuple[float, float, str]]:
    colors = [to_hex(color) for color in scatter.get_facecolors()]
    places = zip(scatter.get_offsets(), colors, strict=True)
    return [(float(x), float(y), color) for (x, y), color in places]


def test_reliability_has_every_seeds_images_as_if_they_were_one_set():
    table = random_table("fig12_calibration")
    left, _ = fig12_calibration.draw(table).axes
    diagonal, *drawn = lines(left)
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert left.get_xlim() == left.get_ylim() == (0, 1)
    bins = table[table["bin"].notna() & (table["images"] > 0)]
    for method, line, dot, scatter in zip(
        looks(GUIDED), drawn, dots(left), left.collections, strict=True
    ):
        pooled: dict[float, list[dict]] = {}
        for row in bins[bins["method"] == method].to_dict("records"):
            pooled.setdefault(row["bin"], []).append(row)
        whole = sum(row["images"] for rows in pooled.values() for row in rows)
        assert sum(row["images"] for row in pooled[0]) == 9, "too few to be drawn"
        assert sum(row["images"] for row in pooled[1]) == 10, "just enough"
        images = {b: sum(row["images"] for row in pooled[b]) for b in sorted(pooled)}
        pooled = {b: rows for b, rows in pooled.items() if images[b] >= 10}
        counts = [images[b] for b in sorted(pooled)]
        x, y = (
            [
                sum(row["images"] * row[column] for row in pooled[b]) / n
                for b, n in zip(sorted(pooled), counts, strict=True)
            ]
            for column in ("confidence", "accuracy")
        )
        assert to_hex(line.get_color()) == color_of(method)
        assert list(line.get_xdata()) == pytest.approx(x)
        assert list(line.get_ydata()) == pytest.approx(y)
        assert (dot.color, dot.marker) == (color_of(method), look_of(method).marker)
        assert scatter.get_offsets().tolist() == line.get_xydata().tolist()
        area = [250 * n / whole for n in counts]
        assert list(scatter.get_sizes()) == pytest.approx(area)
    handles, box = left.get_legend().legend_handles, left.get_legend()
    texts = [text.get_text() for text in box.get_texts()]
    assert texts == ["5%", "20%", "50%"]
    for handle, text in zip(handles, texts, strict=True):
        share = float(text.removesuffix("%")) / 100
        assert handle.get_markersize() ** 2 == pytest.approx(250 * share)
    assert box.get_title().get_text() == "share of\nimages"
