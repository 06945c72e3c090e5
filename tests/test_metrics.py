"""Best, last and gap against tables that were worked out by hand."""

import itertools

import pandas as pd
import pytest

from rofit.metrics import best_last_gap, curve

EPOCHS = range(1, 6)
VAL = [0.10, 0.40, 0.50, 0.50, 0.30]  # highest after epochs 3 and 4: the first counts
TEST = [0.20, 0.55, 0.45, 0.60, 0.35]  # would itself choose epoch 4


def _rows(split, values, *, run="a", attack="pgd20", metric="accuracy", epochs=EPOCHS):
    return [
        {"run_id": run, "epoch": e, "split": split, "attack": attack}
        | {"metric": metric, "value": value}
        for e, value in zip(epochs, values, strict=True)
    ]


def _logs(*parts) -> pd.DataFrame:
    """Return rows in the types of load_logs, in an order that means nothing."""
    logs = pd.DataFrame(list(itertools.chain(*parts)))
    texts = ("run_id", "split", "attack", "metric")
    logs = logs.astype({name: "category" for name in texts})
    return logs.sample(frac=1, random_state=0, ignore_index=True)


BESIDES = [  # what must not be taken for the robust accuracy
    *_rows("test", [0.9] * 5, attack="none"),
    *_rows("val", [0.9, 0.8, 0.7, 0.6, 0.5], attack="none"),
    *_rows("test", [9.0] * 5, metric="loss"),
    *_rows("train", [0.3, 0.5, 0.7, 0.8, 0.95], attack="pgd10"),
    *_rows("train", [5.0] * 5, attack=None, metric="gradient_norm"),
]


def test_validation_images_choose_the_epoch_and_test_images_are_reported():
    found = best_last_gap(_logs(_rows("val", VAL), _rows("test", TEST), BESIDES))
    assert found.index.tolist() == ["a"] and found.index.name == "run_id"
    row = found.loc["a"]
    assert (row["selected_on"], row["best_epoch"], row["epochs"]) == ("val", 3, 5)
    assert (row["best"], row["last"]) == (0.45, 0.35)
    assert row["gap"] == pytest.approx(0.10)


def test_oracle_is_what_the_test_images_themselves_would_choose():
    row = best_last_gap(_logs(_rows("val", VAL), _rows("test", TEST), BESIDES)).loc["a"]
    assert (row["oracle_epoch"], row["oracle_best"]) == (4, 0.60)
    assert row["oracle_gap"] == pytest.approx(0.25)


def test_without_validation_images_test_chooses_and_it_is_said():
    row = best_last_gap(_logs(_rows("test", TEST), BESIDES[:5], BESIDES[10:])).loc["a"]
    assert (row["selected_on"], row["best_epoch"], row["best"]) == ("test", 4, 0.60)
    assert row["gap"] == row["oracle_gap"] == pytest.approx(0.25)


def test_first_of_equal_epochs_is_the_best():
    row = best_last_gap(_logs(_rows("test", [0.5] * 5))).loc["a"]
    assert (row["best_epoch"], row["oracle_epoch"], row["gap"]) == (1, 1, 0.0)


def test_gap_is_negative_where_the_end_is_better_than_the_chosen_epoch():
    logs = _logs(
        _rows("val", [5, 4, 3, 2, 1]), _rows("test", [0.1, 0.2, 0.3, 0.4, 0.5])
    )
    assert best_last_gap(logs).loc["a", "gap"] == pytest.approx(-0.4)


def test_runs_are_told_apart_also_where_they_have_other_lengths_and_splits():
    logs = _logs(
        _rows("val", VAL),
        _rows("test", TEST),
        _rows("test", [0.3, 0.2], run="b", epochs=(1, 2)),
    )
    found = best_last_gap(logs)
    assert found["selected_on"].to_dict() == {"a": "val", "b": "test"}
    assert found["epochs"].to_dict() == {"a": 5, "b": 2}
    assert found["last"].to_dict() == {"a": 0.35, "b": 0.2}
    assert found["best"].to_dict() == {"a": 0.45, "b": 0.3}


def test_curve_takes_one_split_metric_and_kind_of_input():
    logs = _logs(_rows("val", VAL), _rows("test", TEST), BESIDES)
    assert curve(logs, split="test")["a"].tolist() == TEST
    assert curve(logs, split="test", robust=False)["a"].tolist() == [0.9] * 5
    assert curve(logs, split="test", metric="loss")["a"].tolist() == [9.0] * 5
    assert curve(logs, split="val")["a"].tolist() == VAL
    assert curve(logs, split="val").index.tolist() == list(EPOCHS)


@pytest.mark.parametrize("robust", [True, False])
def test_curve_takes_a_diagnostic_either_way(robust):
    found = curve(_logs(BESIDES), split="train", metric="gradient_norm", robust=robust)
    assert found["a"].tolist() == [5.0] * 5


def test_curve_of_what_was_not_measured_is_empty():
    assert curve(_logs(BESIDES), split="test").empty


def test_epoch_whose_test_row_is_torn_off_is_not_chosen():
    val, test = _rows("val", [0.1, 0.2, 0.3, 0.4, 0.5]), _rows("test", TEST)
    row = best_last_gap(_logs(val, test[:-1])).loc["a"]
    assert (row["best_epoch"], row["best"], row["epochs"]) == (4, 0.60, 4)


def test_logs_without_robust_test_rows_give_an_empty_table():
    assert len(best_last_gap(_logs(BESIDES))) == 0


def test_two_attacks_on_one_split_are_never_averaged():
    stronger = [value - 0.1 for value in TEST]
    logs = _logs(_rows("test", TEST), _rows("test", stronger, attack="cw"))
    try:
        seen = curve(logs, split="test")["a"].tolist()
    except ValueError:
        return
    assert seen in (TEST, stronger)
