"""A file in a run's folder is this run's, whole, or it is refused in words."""

import shutil

import pytest
import torch
from training_helpers import CPU, last_state, same, train

from rofit import evaluate
from rofit.errors import UserError
from rofit.progress import Report
from rofit.running.checkpoints import load_checkpoint
from rofit.store.rows import load_logs
from rofit.training import checkpoint


@pytest.fixture
def notes(monkeypatch):
    """What runs say while they train."""
    texts = []
    monkeypatch.setattr(Report, "note", lambda self, text: texts.append(text))
    return texts


@pytest.fixture
def spec(smoke_spec):
    return smoke_spec(val_size=16, test_size=16, blocks=(1, 1), epochs=2)


def _stopped(spec, root):
    """Return a run that was stopped after its first epoch."""
    steps = -(-spec.train_size // spec.batch_size)
    folder, done = train(spec, root, stop_after=steps)
    assert not done
    return folder


def _flip(path, at=2000):
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


def test_checkpoint_of_another_seed_is_not_gone_on_from(spec, tmp_path):
    folder = _stopped(spec, tmp_path / "one")
    other = _stopped(spec.replace(seed=1), tmp_path / "other")
    shutil.copy(other.checkpoints / "last.pt", folder.checkpoints / "last.pt")
    with pytest.raises(UserError, match="last.pt is of run .*, not of this one; mov"):
        train(spec, tmp_path / "one")


def test_damaged_checkpoint_is_named_and_the_one_before_taken(spec, tmp_path, notes):
    spec = spec.replace(epochs=3)
    whole, _ = train(spec, tmp_path / "whole")
    steps = -(-spec.train_size // spec.batch_size)
    folder, done = train(spec, tmp_path / "damaged", stop_after=2 * steps)
    assert not done
    _flip(folder.checkpoints / "last.pt")
    _, done = train(spec, tmp_path / "damaged")
    assert done
    (note,) = notes
    assert note.endswith(
        "last.pt is damaged; the run goes on from last-previous.pt, epoch 1"
    )
    same(last_state(whole), last_state(folder))


def test_run_whose_log_has_lost_rows_is_not_gone_on_with(spec, tmp_path):
    folder = _stopped(spec, tmp_path)
    (folder.path / "epochs.jsonl").unlink()
    with pytest.raises(UserError, match="has lost the rows of epoch 1, and a run goes"):
        train(spec, tmp_path)


@pytest.mark.parametrize("name", ["best", "last"])
def test_network_of_another_run_is_not_evaluated_as_this_ones(spec, tmp_path, name):
    folder, _ = train(spec, tmp_path)
    other, _ = train(spec.replace(seed=1), tmp_path)
    for file in (folder, other):
        load_checkpoint(file.checkpoints / f"{name}.pt", data=tmp_path, device=CPU)
    path = folder.checkpoints / f"{name}.pt"
    shutil.copy(other.checkpoints / f"{name}.pt", path)
    with pytest.raises(UserError, match=f"{path} is of run {other.path.name}, not of "):
        load_checkpoint(path, data=tmp_path, device=CPU)


def test_damaged_network_is_not_evaluated(spec, tmp_path):
    folder, _ = train(spec, tmp_path)
    path = folder.checkpoints / "best.pt"
    _flip(path)
    with pytest.raises(UserError, match="cannot be read .*: it is damaged, or"):
        load_checkpoint(path, data=tmp_path, device=CPU)


def test_networks_from_elsewhere_do_not_mix_with_the_runs_own(spec, tmp_path):
    folder, _ = train(spec, tmp_path)
    state = checkpoint.load(folder.checkpoints / "last.pt", CPU)
    state["model"] = {k: v + torch.ones_like(v) for k, v in state["model"].items()}
    elsewhere = tmp_path / "last.pt"
    checkpoint.save(state, elsewhere)
    places = {"store": tmp_path / "runs", "data": tmp_path / "data"}
    own = evaluate(folder.path.name, attacks="clean", checkpoints="last", **places)
    foreign = evaluate(elsewhere, attacks="clean", **places)
    assert own["checkpoint"].tolist() == ["last"]
    assert foreign["checkpoint"].tolist() == [f"last-{foreign['network'][0][:8]}"]
    assert (own["folder"] == foreign["folder"]).all()
    logs = load_logs(tmp_path / "runs")
    evaluated = logs[logs["measured"] == "evaluation"]
    assert sorted(evaluated["checkpoint"]) == ["last", foreign["checkpoint"][0]]


def test_best_that_is_gone_is_said_at_the_end(spec, tmp_path, notes):
    folder = _stopped(spec, tmp_path)
    state = last_state(folder) | {"best": {"score": 1.0, "epoch": 1}}  # none is better
    checkpoint.save(state, folder.checkpoints / "last.pt")
    (folder.checkpoints / "best.pt").unlink()
    _, done = train(spec, tmp_path)
    assert done and notes[-1].startswith("best.pt, of epoch 1, is gone; trained in ")
