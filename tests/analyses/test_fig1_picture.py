"""Figure 1's picture: two panels, the methods' colours, and the stamp of its scale."""

import io

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from drawn import note
from made_up_logs import saved
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
            "train_attack": "pgd10",
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


def test_two_panels_are_labelled_with_quantity_unit_and_attack(figure):
    left, right = figure.axes
    assert left.get_xlabel() == right.get_xlabel() == "epoch"
    assert left.get_ylabel() == "gradient norm, training step"
    assert right.get_ylabel() == "robust accuracy (%)"


def test_legend_names_methods_splits_and_who_chose_best(figure, table):
    def legend(drawn: Figure) -> list[str]:
        return [text.get_text() for text in drawn.legends[0].get_texts()]

    methods = [LOOKS["pgd_at"].label, LOOKS["sgls"].label]
    lines = ["test, PGD-20", "train, on the fly, PGD-10"]
    assert legend(figure) == [*methods, *lines]
    rate = "; dotted: drops of the learning rate"
    best = "marks: best epoch of each run, chosen on {} images" + rate
    assert note(figure) == best.format("validation")
    other = fig1_gradnorm.draw(table.assign(selected_on="test"))
    assert note(other) == best.format("test")


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
