"""Stores of older versions are read, shown, gone on with, evaluated and drawn.

Each archive in `stores/` holds runs of one format: pgd_at and sgls, done, the latter
evaluated, and mart after the first of three epochs; made by the words below.
"""

import json
import tarfile
from pathlib import Path

import pytest
from command_line import rofit

from rofit.store.rows import load_logs
from rofit.store.runs import RunStore
from rofit.store.samples import load_samples

STORES = sorted(Path(__file__).parent.glob("stores/*.tar.xz"))
SIZE = (
    "--scale smoke --set width=4 --set train_size=64 --set val_size=16 "
    "--set test_size=16 --set blocks=1,1 --device cpu"
).split()
MART = ("train", "--method", "mart", *SIZE, "--set", "epochs=3", "--quiet")


@pytest.fixture(params=STORES, ids=lambda path: path.name.removesuffix(".tar.xz"))
def home(request, tmp_path):
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def _run(home, method):
    (run,) = [
        run for run in RunStore(home / "runs").runs() if run.spec.method == method
    ]
    return run


def _events(home):
    return {path: path.read_bytes() for path in home.glob("runs/*/events.jsonl")}


def test_its_rows_are_those_of_its_files(home):
    logs = load_logs(home / "runs", evaluations=False)
    written = {
        run.path.name: (run.path / "epochs.jsonl").read_text().splitlines()
        for run in RunStore(home / "runs").runs()
    }
    for run_id, lines in written.items():
        values = [json.loads(line)["value"] for line in lines]
        read = logs.loc[logs["run_id"] == run_id, "value"]
        assert len(values) > 10 and read.tolist() == pytest.approx(values, nan_ok=True)
    assert set(load_samples(home / "runs", "predictions")["method"]) == set(
        logs["method"]
    )


def test_it_is_shown_and_sound(home):
    for words in (["status"], ["show", "sgls"], ["show", "mart"], ["doctor"]):
        answer = rofit(home, *words)
        assert (answer.code, answer.err) == (0, ""), words
    assert "all is sound" in answer.out


def test_its_stopped_run_is_gone_on_with(home):
    run = _run(home, "mart")
    before = (run.path / "epochs.jsonl").read_bytes()
    answer = rofit(home, *MART)
    assert answer.code == 0, answer.err
    assert run.state == "done"
    assert (run.path / "epochs.jsonl").read_bytes().startswith(before)
    assert set(load_logs(home / "runs", [run.path.name])["epoch"]) == {1, 2, 3}


def test_its_results_are_kept_and_more_are_made(home):
    run = _run(home, "sgls")
    before = {p: p.read_bytes() for p in run.path.glob("evaluations/*/*.parquet")}
    assert before
    answer = rofit(home, "eval", "sgls", "--attack", "clean,pgd5,fgsm", "--quiet")
    assert answer.code == 0, answer.err
    assert {path: path.read_bytes() for path in before} == before
    logs = load_logs(home / "runs", [run.path.name])
    evaluated = logs[logs["measured"] == "evaluation"]
    assert set(evaluated["attack"]) == {"none", "pgd5", "fgsm"}


def test_it_is_drawn_and_nothing_trained_again(home):
    before = _events(home)
    answer = rofit(home, "run", "fig1_gradnorm", *SIZE, "--quiet")
    assert answer.code == 0, answer.err
    assert _events(home) == before
    assert list(home.glob("results/*/fig1_gradnorm/fig1_gradnorm.png"))


def test_field_of_a_later_version_is_refused_in_words(home):
    path = _run(home, "sgls").path / "spec.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"later": 1}))
    answer = rofit(home, "show", "sgls")
    assert answer.code == 2 and "unknown field of a run 'later'" in answer.err
    answer = rofit(home, "status")
    assert answer.code == 0 and "mart" in answer.out
    assert "is left out: unknown field of a run 'later'" in answer.err
