"""rofit export: a run's folder without what is big or of the moment, as a store."""

import json

import pandas as pd
import pytest
from command_line import rofit
from stored_runs import PGD, ROWS, SGLS, stored

from rofit import load_logs

STOP = {"seconds": 7.5, "seconds_an_epoch": 3.25, "peak_gpu_gib": 1.5}


@pytest.fixture
def home(tmp_path):
    """A folder with two runs in its store, one of them evaluated and done."""
    for spec in (PGD, SGLS):
        stored(tmp_path / "runs", spec, ROWS)
    folder = stored(tmp_path / "runs", SGLS, [])
    folder.note_environment({"device": "a card"})
    folder.event("stop", seconds=1, seconds_an_epoch=1)
    folder.event("stop", **STOP)
    folder.write_sample("labels", pd.DataFrame({"given": [1, 2]}))
    folder.finish({"epochs": 2})
    evaluation = folder.path / "evaluations" / "last-clean-0"
    for place in (folder.checkpoints, evaluation):
        place.mkdir(parents=True)
    (folder.checkpoints / "last.pt").write_bytes(b"weights")
    (evaluation / "result.json").write_text("{}")
    for name in ("part-1of1.parquet.lock", "samples.12.tmp"):
        (evaluation / name).touch()
    (folder.path / "spec.json.tmp").touch()
    return tmp_path


def kept(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_copy_has_everything_but_checkpoints_locks_and_temporary_files(home):
    answer = rofit(home, "export", SGLS.run_id, "--out", home / "logs" / "card")
    assert (answer.code, answer.err) == (0, "")
    copy = home / "logs" / "card" / SGLS.run_id
    assert kept(copy) == [
        "digests.jsonl",
        "done.json",
        "env.json",
        "epochs.jsonl",
        "evaluations/last-clean-0/result.json",
        "events.jsonl",
        "samples/labels.parquet",
        "spec.json",
    ]
    for name in kept(copy):
        original = home / "runs" / SGLS.run_id / name
        assert (copy / name).read_bytes() == original.read_bytes()


def test_copies_are_read_as_a_store(home):
    answer = rofit(home, "export", "pgd_at", SGLS.run_id, "--out", home / "logs")
    assert answer.code == 0, answer.err
    ours = load_logs(home / "runs", evaluations=False)
    theirs = load_logs(home / "logs", evaluations=False)
    pd.testing.assert_frame_equal(ours, theirs)
    shown = rofit(home, "show", PGD.run_id, "--store", home / "logs")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out == rofit(home, "show", PGD.run_id).out


def test_answer_has_state_accuracy_and_cost_of_every_run(home):
    words = ("export", PGD.run_id, SGLS.run_id, "--out", home / "logs", "--json")
    pgd, sgls = json.loads(rofit(home, *words).out)["runs"]
    assert (pgd["run"], pgd["state"], pgd["seconds"]) == (PGD.run_id, "partial", None)
    assert (sgls["run"], sgls["state"], sgls["last"]) == (SGLS.run_id, "done", 50)
    cost = {name.replace("_", " "): value for name, value in STOP.items()}
    assert sgls.items() >= cost.items()


def test_same_again_is_fine_and_what_was_interrupted_is_completed(home):
    words = ("export", SGLS.run_id, "--out", home / "logs")
    assert rofit(home, *words).code == 0
    before = kept(home / "logs")
    (home / "logs" / SGLS.run_id / "done.json").unlink()
    assert rofit(home, *words).code == 0
    assert kept(home / "logs") == before


@pytest.mark.parametrize("name", ["epochs.jsonl", "notes.txt"])
def test_other_content_under_the_id_is_refused_before_anything_is_copied(home, name):
    copy = home / "logs" / SGLS.run_id
    copy.mkdir(parents=True)
    (copy / name).write_text("of somebody else")
    answer = rofit(home, "export", PGD.run_id, SGLS.run_id, "--out", home / "logs")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert f"{copy} already holds another {name} than {home / 'runs'}" in answer.err
    assert kept(home / "logs") == [f"{SGLS.run_id}/{name}"]


def test_unknown_run_is_refused_before_anything_is_copied(home):
    answer = rofit(home, "export", PGD.run_id, "nonsense", "--out", home / "logs")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert f"no single run 'nonsense' in {home / 'runs'}; matching: none" in answer.err
    assert not (home / "logs").exists()


def test_folder_that_is_a_file_is_refused(home):
    (home / "logs").write_text("a file")
    answer = rofit(home, "export", PGD.run_id, "--out", home / "logs")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert f"{home / 'logs'} cannot be written (" in answer.err


@pytest.mark.parametrize("words", [["--out", "logs"], ["sgls"]])
def test_run_and_folder_are_needed(home, words):
    answer = rofit(home, "export", *words)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "Missing" in answer.err
