"""Digests: what was altered is noticed, and what a kill leaves is not taken for it."""

import json
import os

import pandas as pd
import pytest
from stored_runs import NORM, PGD, stored

from rofit.errors import UserError
from rofit.store import log
from rofit.store.digests import is_sound, put
from rofit.store.files import append_text, json_lines
from rofit.store.rows import keep_columns, load_logs, require_log
from rofit.store.runs import RunFolder


@pytest.fixture
def run(tmp_path):
    """A run of three epochs, two rows each, sealed one by one."""
    folder = stored(tmp_path / "runs", PGD, [])
    for epoch in (1, 2, 3):
        folder.append([{"epoch": epoch} | NORM | {"value": v} for v in (0.5, 1 / 3)])
    return folder


def _edit(folder, change):
    path = folder.path / "epochs.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(change(lines)))


LOST = {
    "a line": (lambda lines: lines[:3] + lines[4:], "epoch 2"),
    "an epoch in the middle": (lambda lines: lines[:2] + lines[4:], "epoch 2"),
    "the last epochs": (lambda lines: lines[:2], "epochs 2 and 3"),
    "all": (lambda lines: [], "epochs 1, 2 and 3"),
    "a digit": (lambda lines: [x.replace("0.5", "0.6") for x in lines], "1, 2 and 3"),
    "the order": (lambda lines: [lines[1], lines[0], *lines[2:]], "epoch 1"),
    "a row twice": (lambda lines: [*lines, lines[4]], "epoch 3"),
}


@pytest.mark.parametrize("what", LOST)
def test_rows_that_are_not_those_written_are_named_left_out_and_gone_on_from_never(
    run, what
):
    change, epochs = LOST[what]
    require_log(run, 3)
    before = load_logs(run.path.parent)
    _edit(run, change)
    with pytest.warns(UserWarning, match=f"epochs.jsonl.* {epochs}"):
        logs = load_logs(run.path.parent)
    rest = before[before["epoch"].isin(logs["epoch"])]
    assert logs["value"].tolist() == rest["value"].tolist()
    with pytest.raises(UserError, match=f"has lost the rows of .*{epochs}"):
        require_log(run, 3)


@pytest.mark.parametrize("done", [False, True])
def test_log_without_digests_is_believed_but_for_its_holes(run, done):
    if done:
        run.finish({"epochs": 3})
    (run.path / "digests.jsonl").unlink()
    _edit(run, lambda lines: [line.replace("0.5", "0.6") for line in lines])
    assert set(load_logs(run.path.parent)["value"]) == {0.6, 1 / 3}
    _edit(run, lambda lines: lines[:2] + lines[4:])
    with pytest.warns(UserWarning, match="lacks epoch 2$"):
        load_logs(run.path.parent)
    with pytest.raises(UserError, match="lost the rows of epoch 2, and a run goes on"):
        require_log(run, 3)


def test_columns_stand_in_for_a_log_that_is_gone(run):
    keep_columns(run)
    before = load_logs(run.path.parent)
    _edit(run, lambda lines: [])
    with pytest.warns(UserWarning, match="epochs.parquet beside it has all rows"):
        pd.testing.assert_frame_equal(load_logs(run.path.parent), before)
    require_log(run, 3)


def test_epochs_that_are_dropped_and_made_again_are_sealed_anew(run):
    run.keep_epochs_to(1)
    assert list(log.seals(run.path)) == [1]
    load_logs(run.path.parent)  # without a warning
    run.append([{"epoch": 2} | NORM | {"value": 7}])
    assert load_logs(run.path.parent)["value"].tolist() == [0.5, 1 / 3, 7]


def test_run_of_before_digests_is_sealed_when_it_is_gone_on_with(run):
    (run.path / "digests.jsonl").unlink()
    before = (run.path / "epochs.jsonl").read_bytes()
    run.keep_epochs_to(2)
    assert before.startswith((run.path / "epochs.jsonl").read_bytes())
    run.append([{"epoch": 3} | NORM | {"value": 7}])
    run.finish({"epochs": 3})
    assert load_logs(run.path.parent)["epoch"].tolist() == [1, 1, 2, 2, 3]
    _edit(run, lambda lines: [line.replace("0.5", "0.6") for line in lines])
    with pytest.warns(UserWarning, match="rows of epochs 1 and 2 are not those"):
        load_logs(run.path.parent)


def test_rows_without_a_seal_are_of_a_killed_writer_until_the_run_is_done(run):
    row = json.dumps({"epoch": 4} | NORM | {"value": 1})
    append_text(run.path / "epochs.jsonl", row + "\n")
    assert set(load_logs(run.path.parent)["epoch"]) == {1, 2, 3, 4}
    run.finish({"epochs": 3})
    with pytest.warns(UserWarning, match="rows of epoch 4 are not those"):
        assert set(load_logs(run.path.parent)["epoch"]) == {1, 2, 3}


def test_lines_of_another_system_are_the_same_rows(run):
    path = run.path / "epochs.jsonl"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(load_logs(run.path.parent)) == 6
    require_log(run, 3)


def test_file_of_before_a_kill_is_sound_and_no_older_one(tmp_path, monkeypatch):
    path = tmp_path / "done.json"

    def write(text):
        (tmp_path / "x.tmp").write_text(text)
        put(tmp_path / "x.tmp", path, tmp_path)

    write("one")
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", lambda *_: None)  # killed before it
        write("two")
    assert path.read_text() == "one" and is_sound(path, tmp_path)
    write("two")
    write("three")
    path.write_text("one")
    assert not is_sound(path, tmp_path)


def test_line_after_a_torn_one_is_not_swallowed_by_it(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "start"}\n{"event": "st')
    append_text(path, '{"event": "resume"}\n')
    objects, other = json_lines(path)
    assert [event["event"] for event in objects] == ["start", "resume"]
    assert other == [2]


@pytest.mark.parametrize("line", [b"123", b"null", b"[]", b'"a"', b"\xff\xfe", b"{"])
def test_line_that_is_no_object_is_numbered(tmp_path, line):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"event": "a"}\n' + line + b'\n\n{"event": "b"}')
    assert json_lines(path) == ([{"event": "a"}, {"event": "b"}], [2])


@pytest.mark.parametrize("name", ["spec.json", "done.json", "env.json"])
def test_json_of_a_run_that_was_edited_is_not_believed(run, name):
    run.finish({"epochs": 3, "best": {"epoch": 2}})
    run.note_environment({"threads": 12})
    path = run.path / name
    text = path.read_text()
    path.write_text(text.replace(": 3", ": 4").replace(": 12", ": 13"))
    assert path.read_text() != text
    if name == "spec.json":
        with pytest.raises(UserError, match="spec.json is damaged"):
            run.spec  # noqa: B018
    else:
        with pytest.warns(UserWarning, match=f"{name} is damaged and is left out"):
            assert run.read_json(name) is None


def test_ledger_that_is_lost_in_parts_makes_nothing_damaged_but_loudly(run):
    path = run.path / "digests.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    run.finish({"epochs": 3})
    with pytest.warns(UserWarning, match="rows of epoch 3 are not those"):
        load_logs(run.path.parent)
    assert isinstance(run, RunFolder) and run.read_json("done.json") == {"epochs": 3}
