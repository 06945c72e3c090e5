"""`rofit rm` and `rofit rename`: whole, asked first, and never while a run trains."""

import shutil

import pytest
from command_line import is_one_sentence, rofit
from training_helpers import train

from rofit.store.rows import load_logs
from rofit.store.runs import RunStore
from rofit.store.source import Source


@pytest.fixture(scope="module")
def trained(tmp_path_factory, smoke_spec):
    root = tmp_path_factory.mktemp("trained")
    for seed in (0, 1):
        train(smoke_spec(val_size=16, test_size=16, epochs=1, seed=seed), root)
    return root


@pytest.fixture
def store(trained, tmp_path):
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return RunStore(tmp_path / "runs")


def _foreign(folder):
    """Make a run one of another's loop."""
    spec = folder.read_json("spec.json")
    folder.write_json("spec.json", spec | {"source": Source("watched").as_dict()})


def test_removed_run_is_gone_and_the_others_stay(store, tmp_path):
    one, other = store.runs()
    answer = rofit(tmp_path, "rm", one.path.name, "--yes")
    assert answer.code == 0 and f"removed {one.path}" in answer.out
    assert [run.path for run in store.runs()] == [other.path]
    assert [path.name for path in store.root.iterdir()] == [other.path.name]


def test_nothing_is_removed_unasked(store, tmp_path):
    name = store.runs()[0].path.name
    is_one_sentence(rofit(tmp_path, "rm", name), "add --yes")
    assert len(store.runs()) == 2


def test_run_that_trains_is_neither_removed_nor_renamed(store, tmp_path):
    run = store.runs()[0]
    _foreign(run)
    with run.held():
        for words in (("rm", run.path.name, "--yes"), ("rename", run.path.name, "b")):
            is_one_sentence(rofit(tmp_path, *words), "is being trained by another")
    assert len(store.runs()) == 2


def test_renamed_run_is_the_same_under_the_new_name(store, tmp_path):
    run = store.runs()[0]
    _foreign(run)
    before = load_logs(store.root, [run.path.name]).drop(
        columns=["run_id", "family_id"]
    )
    assert rofit(tmp_path, "rename", run.path.name, "my-loop").code == 0
    after = load_logs(store.root, ["my-loop"])
    assert set(after["run_id"]) == {"my-loop"}
    assert after.drop(columns=["run_id", "family_id"]).equals(before)
    assert rofit(tmp_path, "doctor").code == 0


@pytest.mark.parametrize(
    ("foreign", "name", "sentence"),
    [
        (False, "b", "its name follows from its settings"),
        (True, "../b", "a run's id"),
        (True, None, "already; give another name"),
    ],
)
def test_name_that_cannot_be_is_refused(store, tmp_path, foreign, name, sentence):
    run, other = store.runs()
    if foreign:
        _foreign(run)
    words = ("rename", run.path.name, name or other.path.name)
    is_one_sentence(rofit(tmp_path, *words), sentence)
    assert {r.path.name for r in store.runs()} == {run.path.name, other.path.name}
