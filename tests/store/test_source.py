"""Runs that rofit did not train: where they are from, and what is not known of them."""

import json

import pytest

from rofit import load_logs
from rofit.errors import UserError
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunStore
from rofit.store.source import Source


def _store_run(store, name, spec, source):
    folder = RunStore(store).folder(name)
    described = spec.as_dict() | ({"source": source.as_dict()} if source else {})
    with folder.opened(described):
        row = {"epoch": 1, "split": "test", "attack": "pgd10", "metric": "accuracy"}
        folder.append([row | {"measured": "epoch_end", "n": 10000, "value": 0.5}])
    return folder


def test_what_the_source_does_not_say_is_a_gap_in_the_logs(tmp_path):
    source = Source("log", "awp", "awp.log", "ab12", unknown=("epsilon", "seed"))
    theirs = _store_run(tmp_path, "theirs", RunSpec(lr=0.2), source)
    _store_run(tmp_path, "ours", RunSpec(seed=3), None)
    assert theirs.source == source
    logs = load_logs(tmp_path).set_index("run_id")
    assert logs.loc["theirs", ["seed", "epsilon"]].isna().all()
    assert logs.loc["theirs", "lr"] == 0.2
    assert logs.loc["theirs", "source"] == "awp: awp.log"
    assert logs.loc["ours", "seed"] == 3
    assert logs["source"].isna()["ours"]


@pytest.mark.parametrize(
    "source",
    [
        None,
        "log",
        {},
        {"kind": "dream"},
        {"kind": "log", "unknown": ["colour"]},
        {"kind": "log", "unknown": 3},
        {"kind": "log", "file": "../x"},
        {"kind": "log", "file": 3},
        {"kind": "log", "author": "x"},
    ],
    ids=str,
)
def test_a_source_that_is_none_is_refused_in_words(tmp_path, source):
    folder = RunStore(tmp_path).folder("theirs")
    with folder.opened(RunSpec().as_dict() | {"source": source}):
        pass
    with pytest.raises(UserError, match="source"):
        folder.spec  # noqa: B018
    text = json.loads((folder.path / "spec.json").read_text())
    assert text["source"] == source
