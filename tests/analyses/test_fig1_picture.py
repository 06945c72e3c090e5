"""Figure 1's picture: two panels, the methods' colours, and the stamp of its scale."""

import io

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from made_up_logs import saved
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from rofit.figures import fig1_gradnorm
from rofit.figures._style import METHODS as LOOKS


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Two methods of two seeds over four epochs, accuracies as fractions."""
    rows = [
        {
            "scale": "demo",
            "data": "digits, 400 training images, linf 8/255",
            "method": method,
            "seed": seed,
            "epoch": epoch,
            "gradient_norm": epoch + seed,
            "train_robust": 0.2 * epoch,
            "test_robust": 0.1 * epoch + 0.02 * seed,
            "attack": "pgd20",
            "drop_follows": epoch == 2,
            "selected_on": "val",
            "best": epoch == 3,
        }
        for method in ("pgd_at", "sgls")
        for seed in (0, 1)
        for epoch in (1, 2, 3, 4)
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def figure(table) -> Figure:
    drawn = fig1_gradnorm.draw(table)
    assert isinstance(drawn, Figure)
    return drawn


def _stamp(figure: Figure) -> str:
    return figure.get_supxlabel()


def _curve(axes, color: str, style: str) -> tuple[list[float], list[float]]:
    (line,) = (
        line
        for line in axes.lines
        if to_hex(line.get_color()) == color.lower() and line.get_linestyle() == style
    )
    return list(line.get_xdata()), list(line.get_ydata())


def test_two_panels_are_labelled_with_quantity_unit_and_attack(figure):
    left, right = figure.axes
    assert left.get_xlabel() == right.get_xlabel() == "epoch"
    assert left.get_ylabel() == "gradient norm, training step"
    assert right.get_ylabel() == "robust accuracy, PGD-20 (%)"


def test_lines_are_means_over_seeds_in_per_cent_test_solid_and_train_dashed(figure):
    left, right = figure.axes
    for method in ("pgd_at", "sgls"):
        color = LOOKS[method].color
        assert _curve(left, color, "-") == ([1, 2, 3, 4], [1.5, 2.5, 3.5, 4.5])
        epochs, test = _curve(right, color, "-")
        assert epochs == [1, 2, 3, 4] and test == pytest.approx([11, 21, 31, 41])
        assert _curve(right, color, "--")[1] == pytest.approx([20, 40, 60, 80])


def test_best_epoch_of_every_run_and_the_drop_are_marked(figure):
    left, right = figure.axes
    dots = [each for each in right.collections if isinstance(each, PathCollection)]
    marked = [each.get_offsets().tolist() for each in dots]
    assert marked == [[[3, pytest.approx(30)], [3, pytest.approx(32)]]] * 2
    for axes in (left, right):
        drops = [line for line in axes.lines if line.get_linestyle() == ":"]
        assert [list(line.get_xdata()) for line in drops] == [[2.5, 2.5]]


def test_legend_names_methods_splits_and_who_chose_best(figure, table):
    def legend(drawn: Figure) -> list[str]:
        return [text.get_text() for text in drawn.legends[0].get_texts()]

    methods = [LOOKS["pgd_at"].label, LOOKS["sgls"].label]
    lines = ["test", "train, on the fly"]
    assert legend(figure) == [*methods, *lines, "best, chosen on validation"]
    other = fig1_gradnorm.draw(table.assign(selected_on="test"))
    assert legend(other)[-1] == "best, chosen on test"


def test_stamp_says_scale_data_and_seeds_unless_it_is_the_papers(figure, table):
    assert _stamp(figure) == (
        "rofit · scale demo, not the paper's · digits, 400 training images, "
        "linf 8/255 · 2 seed(s)"
    )
    assert _stamp(fig1_gradnorm.draw(table.assign(scale="paper"))) == ""


def _pdf(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="pdf", metadata={"CreationDate": None})
    return file.getvalue()


def test_figure_from_a_saved_table_is_the_same_file(figure, table):
    assert _pdf(fig1_gradnorm.draw(saved(table))) == _pdf(figure)


def test_drawing_leaves_pyplot_as_it_was(table):
    before = dict(plt.rcParams)
    fig1_gradnorm.draw(table)
    assert plt.get_fignums() == [] and dict(plt.rcParams) == before
