"""eval_every: which epochs are evaluated, and what follows from that."""

import pytest
from training_helpers import CPU, train

from rofit.diagnostics import DIAGNOSTICS
from rofit.measures.epochs import by_epoch
from rofit.measures.metrics import best_last_gap
from rofit.settings.spec import RunSpec
from rofit.store.rows import load_logs
from rofit.training import checkpoint

EVALUATED = (3, 4, 5, 6, 7, 8, 9)  # of nine epochs with drops after 4 and 7, every 3


@pytest.fixture
def spec(smoke_spec):
    return smoke_spec(epochs=9, eval_every=3, drops=(0.44, 0.78), lr=0.05)


@pytest.mark.parametrize("schedule", ["drops", "piecewise"])
def test_last_epoch_and_those_beside_a_drop_are_never_skipped(schedule):
    for every in (1, 2, 5, 7, 50, 1000):
        spec = RunSpec(epochs=30, eval_every=every, schedule=schedule)
        epochs = set(spec.evaluated_epochs)
        assert {14, 15, 16, 21, 22, 23, 30} <= epochs
        assert set(range(every, 31, every)) <= epochs
    assert set(range(1, 31)) == set(RunSpec(epochs=30).evaluated_epochs)
    assert len(RunSpec(eval_every=200).evaluated_epochs) == 7


def test_without_validation_images_every_epoch_is_evaluated():
    spec = RunSpec(epochs=30, eval_every=10, val_size=0)
    assert spec.evaluated_epochs == tuple(range(1, 31))


def test_skipped_epochs_have_rows_of_their_steps_alone(spec, tmp_path):
    assert spec.evaluated_epochs == EVALUATED
    folder, _ = train(spec, tmp_path, diagnostics=("confidence", "gradient_norm"))
    logs = load_logs(folder.path.parent)
    for split, metric in (
        ("test", "accuracy"),
        ("val", "accuracy"),
        ("test", "confidence_correct"),
        ("val", "confidence_correct"),
    ):
        rows = logs[(logs["split"] == split) & (logs["metric"] == metric)]
        assert set(rows["epoch"]) == set(EVALUATED), (split, metric)
    for metric in ("accuracy", "gradient_norm"):
        rows = logs[(logs["split"] == "train") & (logs["metric"] == metric)]
        assert set(rows["epoch"]) == set(range(1, 10)), metric


def test_best_is_chosen_among_evaluated_epochs_by_training_and_by_the_logs(
    spec, tmp_path
):
    folder, _ = train(spec, tmp_path)
    logs = load_logs(folder.path.parent)
    best = checkpoint.load(folder.checkpoints / checkpoint.BEST, CPU)
    chosen = best_last_gap(logs).iloc[0]
    assert best["epoch"] == chosen["best_epoch"] in EVALUATED
    assert chosen["epochs"] == 9


def test_epochs_of_analyses_are_the_evaluated_ones(spec, tmp_path):
    folder, _ = train(spec, tmp_path, diagnostics=("gradient_norm",))
    table = by_epoch(load_logs(folder.path.parent), "gradient_norm")
    assert tuple(table["epoch"]) == EVALUATED
    assert table.drop(columns="oracle").notna().all(axis=None)
    assert list(table.loc[table["drop_follows"], "epoch"]) == [4, 7]


@pytest.mark.parametrize(
    "name", [n for n, d in DIAGNOSTICS.items() if n != "gradient_norm"]
)
def test_diagnostics_are_measured_at_evaluated_epochs_only(name):
    """So that none makes passes of its own over test images in between."""
    when, spec = DIAGNOSTICS[name].when, RunSpec(epochs=30, eval_every=5)
    due = [e for e in range(1, 31) if when.due(e, spec.evaluated_epochs)]
    assert due and set(due) <= set(spec.evaluated_epochs) and due[-1] == 30


def test_resumed_run_evaluates_the_same_epochs(spec, tmp_path):
    whole, _ = train(spec, tmp_path / "whole")
    train(spec, tmp_path / "resumed", stop_after=3)
    resumed, done = train(spec, tmp_path / "resumed")
    assert done
    rows = [(f.path / "epochs.jsonl").read_bytes() for f in (whole, resumed)]
    assert rows[0] == rows[1]
