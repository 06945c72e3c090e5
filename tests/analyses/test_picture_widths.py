"""Every picture at both widths of the paper: what is written can be read, and is whole.

Extents are the renderer's, of the texts that it draws.
"""

from itertools import combinations
from unittest.mock import patch

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from pictures import PICTURES
from PIL import Image
from random_tables import random_table
from rofit.figures import _compare
from rofit.figures._style import COLUMN, PAGE, RC

from rofit.reproduction import catalog, publish

SMALLEST = 6  # points
SCRIPT = 0.7  # of an exponent, in sizes of its text
LONG = "cifar10 (jpeg), 1000 training images, 0% / 20% / 40% / 60% of training labels "


def _written(figure: Figure) -> dict[Text, Bbox]:
    """Return the texts that are drawn, with their extents in pixels."""
    drawn: list[Text] = []
    draw = Text.draw

    def noted(text: Text, renderer, *args, **kwargs) -> None:
        drawn.append(text)
        draw(text, renderer, *args, **kwargs)

    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()  # places everything
    figure.set_layout_engine("none")
    with patch.object(Text, "draw", noted):
        canvas.draw()
    texts = [text for text in drawn if text.get_visible() and text.get_text().strip()]
    return {text: text.get_window_extent(canvas.get_renderer()) for text in texts}


def _runs() -> pd.DataFrame:
    """Return what `rofit compare` draws: five runs with long names."""
    columns = ("test_robust", "train_robust", "test_clean")
    return pd.DataFrame(
        {"run": f"label_smoothing-cifar10-jpeg-{run}0ab12cd", "epoch": epoch}
        | dict.fromkeys(columns, 10.0 * epoch + run)
        for run in range(5)
        for epoch in range(1, 5)
    )


def _figure(name: str, width: float) -> Figure:
    if name == "_compare":
        return _compare.draw(_runs(), width)
    table = random_table(name).assign(data=f"{LONG} redrawn, no attack")
    return catalog.load_figure(name).draw(table, width=width)


@pytest.mark.parametrize("width", [PAGE, COLUMN])
@pytest.mark.parametrize("name", [*PICTURES, "_compare"])
def test_texts_are_large_enough_on_the_canvas_and_beside_each_other(name, width):
    figure = _figure(name, width)
    assert figure.get_figwidth() == width and figure.get_figheight() < 9, "a page"
    written = _written(figure)
    assert len(written) > 10
    for text, box in written.items():
        scripts = "$" in text.get_text() and set(text.get_text()) & {"^", "_"}
        size = text.get_fontsize() * (SCRIPT if scripts else 1)
        assert size >= SMALLEST, text
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1, text
        assert box.y0 >= 0 and box.y1 <= figure.bbox.y1, text
    for (one, box), (other, box_of_other) in combinations(written.items(), 2):
        assert not box.padded(-0.5).overlaps(box_of_other.padded(-0.5)), (one, other)


def test_what_cannot_be_read_would_be_noticed():
    figure = Figure(figsize=(PAGE, 2))
    for place in (0.5, 0.51):
        figure.text(place, 0.5, "two texts")
    (one, other) = _written(figure).values()
    assert one.overlaps(other)


def test_picture_is_published_for_the_page_and_for_the_column(tmp_path):
    name = "fig1_gradnorm"
    random_table(name).to_csv(tmp_path / "table.csv", index=False)
    publish.draw(name, tmp_path)
    endings = {"": PAGE, "_column": COLUMN}
    files = {f"{name}{e}.{kind}" for e in endings for kind in ("png", "pdf")}
    assert {path.name for path in tmp_path.iterdir()} == files | {"table.csv"}
    for ending, width in endings.items():
        with Image.open(tmp_path / f"{name}{ending}.png") as image:
            assert image.width == int(200 * width)


NEW = {
    "fig1_gradnorm": "train_attack",
    "fig2_label_assignment": "train_attack",
    "fig6_cifar100": "train_attack",
    "fig10_strength": "trained_radius",
    "theorem1_information": "error",
}


@pytest.mark.parametrize("name", NEW)
def test_results_from_before_a_column_was_there_are_drawn_without_it(name):
    figure = catalog.load_figure(name).draw(random_table(name).drop(columns=NEW[name]))
    texts = [text.get_text() for text in _written(figure)]
    assert all("PGD-7" not in text and "nan" not in text for text in texts)
    on_the_fly = [text for text in texts if "on the fly" in text]
    assert all("training attack" in text for text in on_the_fly)


def test_style_of_texts_is_no_smaller_than_the_smallest():
    sizes = [RC[key] for key in RC if key.endswith("size")]
    assert len(sizes) == 5 and min(sizes) >= SMALLEST
