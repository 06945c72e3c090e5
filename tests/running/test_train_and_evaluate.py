"""What notebooks call: runs trained and evaluated without the command line."""

import pandas as pd
import pytest
from evaluated_runs import SPEC

import rofit
from rofit.errors import UserError
from rofit.running.evaluate import COLUMNS
from rofit.store.evaluations import evaluations
from rofit.store.runs import RunStore

SMALL = SPEC.replace(train_size=64, val_size=16, test_size=16, epochs=2)
QUIET = {"device": "cpu", "engine": "eager"}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def run(store):
    (folder,) = rofit.train(SMALL, store=store, diagnostics=["softness"], **QUIET)
    return folder


def _files(folder):
    numbers = (folder.path / "epochs.jsonl").read_text()
    return numbers, sorted(path.name for path in folder.checkpoints.iterdir())


def test_run_is_trained_into_the_store_with_what_was_asked_for(run, store):
    assert run.path.parent == store and run.state == "done"
    assert run.watched() == {"softness"}
    logs = rofit.load_logs(store)
    assert set(logs["epoch"]) == {1, 2} and set(logs["seed"]) == {SMALL.seed}


def test_second_call_trains_nothing(run, store):
    before = _files(run)
    (again,) = rofit.train(SMALL, store=store, keep=[1], **QUIET)
    assert again.path == run.path and _files(again) == before


def test_runs_come_in_the_order_asked_for_and_teachers_are_trained_first(tmp_path):
    student = SMALL.replace(method="kd_swa", method_params=(), epochs=1)
    other = SMALL.replace(method="pgd_at", method_params=(), epochs=1, seed=7)
    folders = rofit.train(student, other, store=tmp_path, diagnostics=(), **QUIET)
    assert [f.path.name for f in folders] == [student.run_id, other.run_id]
    assert [f.state for f in folders] == ["done", "done"]
    assert len(RunStore(tmp_path).runs()) > 2


def test_time_limit_leaves_a_run_that_the_next_call_goes_on_with(run, store, tmp_path):
    options = {"store": tmp_path, "diagnostics": ["softness"], **QUIET}
    (stopped,) = rofit.train(SMALL, max_minutes=0, **options)
    assert stopped.state == "partial"
    (whole,) = rofit.train(SMALL, **options)
    assert whole.state == "done" and _files(whole) == _files(run)


def test_weights_of_an_epoch_are_kept(tmp_path):
    options = {"store": tmp_path, "diagnostics": (), "keep": [1], **QUIET}
    (folder,) = rofit.train(SMALL, **options)
    assert (folder.checkpoints / "epoch-0001.pt").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"diagnostics": ["beauty"]}, "unknown diagnostic 'beauty'"),
        ({"required": ["beauty"]}, "unknown diagnostic 'beauty'"),
        ({"keep": [3]}, "an epoch to keep must be from 1 to 2, got 3"),
        ({"device": "tpu"}, "unknown device 'tpu'"),
    ],
)
def test_training_that_cannot_be_is_refused_before_anything_is_made(
    tmp_path, options, sentence
):
    with pytest.raises(UserError, match=sentence):
        rofit.train(SMALL, **{"store": tmp_path / "new", **QUIET, **options})
    assert not list(tmp_path.glob("new/*/epochs.jsonl"))


def test_evaluation_has_a_row_a_case_and_keeps_it(run, store):
    attacks = ["clean", "pgd3", "pgd3@0.05"]
    table = rofit.evaluate(run.path.name, attacks=attacks, store=store, **QUIET)
    assert list(table) == COLUMNS and table["done"].all()
    assert list(table["checkpoint"]) == ["best"] * 3 + ["last"] * 3
    assert list(table["epsilon"]) == [0.0, SMALL.epsilon, 0.05] * 2
    kept = {r["name"]: r["accuracy"] for r in evaluations(run)}
    assert dict(zip(table["evaluation"], table["accuracy"], strict=True)) == kept
    checks = table["checks"].dropna()
    assert len(checks) == 4 and all("warnings" in made for made in checks)
    again = rofit.evaluate(run.path.name, attacks=attacks, store=store, **QUIET)
    pd.testing.assert_frame_equal(again, table)


def test_dry_run_and_a_time_limit_say_what_is_not_there(run, store):
    options = {"attacks": ["pgd2x9"], "store": store, "batch_size": 2, **QUIET}
    table = rofit.evaluate(run.path.name, dry_run=True, **options)
    assert table["accuracy"].isna().all() and not table["done"].any()
    table = rofit.evaluate(run.path.name, max_minutes=0, **options)
    assert not table["done"].any() and table["attack"].isna().tolist() == [False, True]


def test_file_has_one_checkpoint_alone(run, store):
    path = run.checkpoints / "last.pt"
    table = rofit.evaluate(path, attacks=["clean"], store=store, **QUIET)
    assert list(table["checkpoint"]) == ["last"]
    with pytest.raises(UserError, match="a file is one already"):
        rofit.evaluate(path, checkpoints=["best"], store=store, **QUIET)


def test_one_name_is_as_good_as_a_list_of_it(run, store):
    options = {"attacks": "clean", "checkpoints": "last", "store": store, **QUIET}
    table = rofit.evaluate(run.path.name, **options)
    assert table[["checkpoint", "attack"]].values.tolist() == [["last", "none"]]


@pytest.mark.parametrize("option", [{"n": -1}, {"batch_size": -2}, {"shard": (3, 2)}])
def test_number_that_cannot_be_is_one_sentence(run, store, option):
    with pytest.raises(UserError, match=r"expected n and batch_size .* got .*\("):
        rofit.evaluate(run.path.name, attacks="clean", store=store, **QUIET, **option)
