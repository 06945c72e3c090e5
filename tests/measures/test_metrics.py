"""Best, last and gap against tables that were worked out by hand."""

import itertools
import math
import statistics

import pandas as pd
import pytest

from rofit.errors import UserError
from rofit.measures.metrics import best_last_gap, compare, curve

EPOCHS = range(1, 6)
VAL = [0.10, 0.40, 0.50, 0.50, 0.30]  # highest after epochs 3 and 4: the first counts
TEST = [0.20, 0.55, 0.45, 0.60, 0.35]  # would itself choose epoch 4


def _rows(split, values, *, run="a", attack="pgd20", metric="accuracy", epochs=EPOCHS):
    return [
        {"run_id": run, "epoch": e, "split": split, "attack": attack}
        | {"metric": metric, "value": value}
        for e, value in zip(epochs, values, strict=True)
    ]


def _logs(*row_lists) -> pd.DataFrame:
    """Return rows in the types of load_logs, in an order that means nothing."""
    logs = pd.DataFrame(list(itertools.chain(*row_lists)))
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
    gaps = best_last_gap(_logs(_rows("val", VAL), _rows("test", TEST), BESIDES))
    assert gaps.index.tolist() == ["a"] and gaps.index.name == "run_id"
    row = gaps.loc["a"]
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
    gaps = best_last_gap(logs)
    assert gaps["selected_on"].to_dict() == {"a": "val", "b": "test"}
    assert gaps["epochs"].to_dict() == {"a": 5, "b": 2}
    assert gaps["last"].to_dict() == {"a": 0.35, "b": 0.2}
    assert gaps["best"].to_dict() == {"a": 0.45, "b": 0.3}


def test_curve_takes_one_split_metric_and_kind_of_input():
    logs = _logs(_rows("val", VAL), _rows("test", TEST), BESIDES)
    assert curve(logs, split="test")["a"].tolist() == TEST
    assert curve(logs, split="test", robust=False)["a"].tolist() == [0.9] * 5
    assert curve(logs, split="test", metric="loss")["a"].tolist() == [9.0] * 5
    assert curve(logs, split="val")["a"].tolist() == VAL
    assert curve(logs, split="val").index.tolist() == list(EPOCHS)


@pytest.mark.parametrize("robust", [True, False])
def test_curve_takes_a_diagnostic_either_way(robust):
    curves = curve(_logs(BESIDES), split="train", metric="gradient_norm", robust=robust)
    assert curves["a"].tolist() == [5.0] * 5


def test_curve_of_what_was_not_measured_is_empty():
    assert curve(_logs(BESIDES), split="test").empty


def test_epoch_whose_test_row_is_torn_off_is_not_chosen():
    val, test = _rows("val", [0.1, 0.2, 0.3, 0.4, 0.5]), _rows("test", TEST)
    row = best_last_gap(_logs(val, test[:-1])).loc["a"]
    assert (row["best_epoch"], row["best"], row["epochs"]) == (4, 0.60, 4)


def test_logs_without_robust_test_rows_give_an_empty_table():
    assert len(best_last_gap(_logs(BESIDES))) == 0


SPECS = {  # run -> method, seed, epsilon
    "a": ("sgls", 0, 0.1),
    "b": ("sgls", 1, 0.1),
    "c": ("pgd_at", 0, 0.1),
}
PEAKS = {"a": [0.3, 0.5, 0.2], "b": [0.3, 0.6, 0.4], "c": [0.2, 0.1, 0.1]}


def _specs(*row_lists, specs=SPECS):
    """Return rows as load_logs does, with fields of the spec."""
    logs = _logs(*row_lists)
    for number, name in enumerate(("method", "seed", "epsilon")):
        logs[name] = [specs[run][number] for run in logs["run_id"].astype(str)]
    return logs.astype({"method": "category"})


def _peaks(runs="abc"):
    return [_rows("test", PEAKS[run], run=run, epochs=range(1, 4)) for run in runs]


def test_comparison_is_mean_and_deviation_over_seeds():
    table = compare(_specs(*_peaks()))
    assert table.index.tolist() == ["pgd_at", "sgls"] and table.index.name == "method"
    row = table.loc["sgls"]
    best, last, gap = [0.5, 0.6], [0.2, 0.4], [0.3, 0.2]
    for name, values in (("best", best), ("last", last), ("gap", gap)):
        assert row[name] == pytest.approx(statistics.mean(values), rel=1e-12)
        assert row[f"{name}_std"] == pytest.approx(statistics.stdev(values), rel=1e-12)
    assert (row["runs"], row["logged"], row["selected_on"]) == (2, 3, "test")


def test_comparison_of_a_single_run_has_no_deviation():
    row = compare(_specs(*_peaks())).loc["pgd_at"]
    assert (row["runs"], row["best"], row["last"]) == (1, 0.2, 0.1)
    assert all(math.isnan(row[f"{name}_std"]) for name in ("best", "last", "gap"))


def test_comparison_tells_the_shortest_log_and_every_selection_split():
    logs = _specs(*_peaks("a"), _rows("test", VAL, run="b"), _rows("val", VAL, run="b"))
    row = compare(logs).loc["sgls"]
    assert (row["logged"], row["selected_on"]) == (3, "test, val")


def test_comparison_by_several_fields_has_a_row_a_setting():
    specs = SPECS | {"b": ("sgls", 0, 0.2)}
    table = compare(_specs(*_peaks(), specs=specs), by=["epsilon", "method"])
    assert table.index.names == ["epsilon", "method"]
    best = {key: row["best"] for key, row in table.iterrows()}
    assert best == {(0.1, "sgls"): 0.5, (0.2, "sgls"): 0.6, (0.1, "pgd_at"): 0.2}


def test_comparison_by_a_parameter_keeps_the_runs_that_lack_it():
    logs = _specs(*_peaks("ac"))
    logs["method_params.start"] = [
        0.4 if run == "a" else math.nan for run in logs["run_id"].astype(str)
    ]
    table = compare(logs, by=["method", "method_params.start"])
    assert table["best"].tolist() == [0.2, 0.5]


def test_comparison_never_averages_over_anything_but_seeds():
    specs = SPECS | {"b": ("sgls", 1, 0.2)}
    with pytest.raises(UserError, match="runs of method sgls differ in epsilon: name"):
        compare(_specs(*_peaks(), specs=specs))
    with pytest.raises(UserError, match=r"epsilon 0\.1 differ in method"):
        compare(_specs(*_peaks()), by="epsilon")


@pytest.mark.parametrize("name", ["methods", "epoch", "value"])
def test_comparison_by_what_is_no_field_of_the_spec_is_a_user_error(name):
    with pytest.raises(UserError, match=f"unknown field of the runs '{name}'; "):
        compare(_specs(*_peaks()), by=name)


def test_comparison_of_logs_without_robust_test_rows_is_empty():
    table = compare(_specs(_rows("test", VAL, attack="none")))
    assert len(table) == 0 and "gap_std" in table


@pytest.mark.parametrize("key", ["attack", "portion"])
def test_several_values_of_one_epoch_are_refused_with_what_tells_them_apart(key):
    logs = pd.concat([_logs(_rows("test", TEST)).assign(portion="all")] * 2)
    logs[key] = ["cw"] * len(TEST) + ["pgd20"] * len(TEST)
    with pytest.raises(
        UserError, match=f"for one epoch .they differ in {key}.; choose"
    ):
        curve(logs, split="test")


BROKEN = "run a: accuracy or loss is not finite after epoch {}; none of them is best"


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("split", ["val", "test"])
def test_epoch_whose_loss_is_no_number_is_never_the_best(split, value):
    """Its accuracy is that of an argmax of NaN: high by chance, and chosen before."""
    losses = [1.0, 1.0, value, 1.0, 1.0]
    logs = _logs(
        _rows("val", [0.1, 0.4, 0.9, 0.5, 0.3]),
        _rows("test", [0.2, 0.55, 0.9, 0.6, 0.35]),
        _rows(split, losses, metric="loss"),
    )
    with pytest.warns(UserWarning, match=BROKEN.format(3)):
        row = best_last_gap(logs).loc["a"]
    assert (row["best_epoch"], row["oracle_epoch"], row["epochs"]) == (4, 4, 5)
    assert (row["best"], row["last"], row["oracle_best"]) == (0.60, 0.35, 0.60)


def test_run_that_ends_in_no_number_has_no_last_and_no_gap():
    losses = [1.0, 1.0, 1.0, math.nan, math.nan]
    logs = _logs(_rows("test", TEST), _rows("test", losses, metric="loss"))
    with pytest.warns(UserWarning, match=BROKEN.format("4, 5")):
        row = best_last_gap(logs).loc["a"]
    assert (row["best_epoch"], row["best"], row["epochs"]) == (2, 0.55, 5)
    assert row[["last", "gap", "oracle_gap"]].isna().all()


def test_accuracy_that_is_no_number_is_said_and_is_no_last():
    logs = _logs(_rows("test", [*TEST[:4], math.nan]), _rows("val", VAL))
    with pytest.warns(UserWarning, match=BROKEN.format(5)):
        row = best_last_gap(logs).loc["a"]
    assert (row["best_epoch"], row["epochs"]) == (3, 5) and math.isnan(row["last"])


def test_run_without_a_single_number_has_no_best_beside_one_that_has():
    logs = _logs(
        _rows("test", TEST),
        _rows("test", [math.nan] * 5, metric="loss"),
        _rows("test", [0.3, 0.2], run="b", epochs=(1, 2)),
    )
    with pytest.warns(UserWarning, match=BROKEN.format("1, 2, 3, 4, 5")):
        table = best_last_gap(logs)
    assert table["best_epoch"].to_dict() == {"a": 0, "b": 1}
    assert table.loc["a", ["best", "last", "gap", "oracle_best"]].isna().all()
    assert table.loc["b", "gap"] == pytest.approx(0.1)


def test_training_rows_and_evaluations_do_not_make_an_epoch_a_broken_one():
    """A term of training may be infinite; verdicts have rows of their own."""
    logs = _logs(_rows("test", TEST), _rows("train", [math.nan] * 5, metric="loss"))
    assert best_last_gap(logs).loc["a", "best_epoch"] == 4
    logs["measured"] = "epoch_end"
    more = _logs(_rows("test", [math.nan] * 5)).assign(measured="evaluation")
    both = pd.concat([logs, more], ignore_index=True)
    assert best_last_gap(both).loc["a", "best_epoch"] == 4


def test_comparison_has_no_mean_over_a_seed_that_has_no_number():
    logs = _specs(
        *_peaks(),
        _rows("test", [1.0, 1.0, math.nan], run="b", metric="loss", epochs=range(1, 4)),
    )
    with pytest.warns(UserWarning, match="run b: accuracy or loss is not finite"):
        row = compare(logs).loc["sgls"]
    assert row["best"] == pytest.approx(0.55) and row["runs"] == 2
    assert row[["last", "last_std", "gap", "gap_std"]].isna().all()
