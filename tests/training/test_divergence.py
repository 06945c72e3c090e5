"""Trainings that diverge stop with a sentence; what they became is not kept."""

import json

import pytest
import torch
from training_helpers import CPU, built, last_state, same, train

from rofit.store.runs import read_rows
from rofit.training import checkpoint
from rofit.training.divergence import Diverged, check_weights

CURE = "a lower lr is the usual cure"


def events(folder):
    """Return the run's events by kind, the last of each."""
    lines = (folder.path / "events.jsonl").read_text().splitlines()
    return {event["event"]: event for event in map(json.loads, lines)}


def folder_of(spec, root):
    """Return the folder that a training which raised has left."""
    from rofit.store.runs import RunStore

    return RunStore(root / "runs").folder(spec.run_id)


@pytest.mark.parametrize("lr", [1e38, 1e18])
def test_a_run_whose_last_step_diverges_is_not_done(smoke_spec, tmp_path, lr):
    """One step, of a finite loss; what it makes of the weights is in none."""
    spec = smoke_spec(epochs=1, lr=lr, batch_size=128, weight_decay=0.0)
    with pytest.raises(Diverged) as raised:
        train(spec, tmp_path)
    folder = folder_of(spec, tmp_path)
    text = str(raised.value)
    assert "not finite" in text or "became nan or infinite by step 1 of epoch 1" in text
    assert text.endswith(f"; no checkpoint was saved before; {CURE}")
    assert events(folder)["diverged"]["why"] == text
    assert folder.state != "done"
    assert not list(folder.checkpoints.glob("*.pt"))
    assert not list(read_rows(folder.path))


def test_a_run_that_diverges_at_the_end_of_a_later_epoch_keeps_the_one_before(
    smoke_spec, tmp_path, monkeypatch
):
    """Epochs that are not evaluated have their weights looked at all the same."""
    spec = smoke_spec(epochs=4, eval_every=2)
    folder, _ = train(spec, tmp_path, stop_after=4)
    before = last_state(folder)
    assert (before["epoch"], before["step"]) == (2, 0)
    from rofit.training import loop

    step = loop.train_step

    def broken(run, batch, start):
        terms = step(run, batch, start)
        if batch.step == run.steps - 1:
            run.model.classifier.bias.data[3] = torch.nan
        return terms

    monkeypatch.setattr(loop, "train_step", broken)
    message = (
        "classifier.bias became nan or infinite by step 2 of epoch 3; the last "
        f"checkpoint from before is kept; {CURE}"
    )
    with pytest.raises(Diverged, match=message):
        train(spec, tmp_path)
    same(last_state(folder), before)
    best = checkpoint.load(folder.checkpoints / checkpoint.BEST, CPU)
    assert best["epoch"] == 2 and best["model"]["classifier.bias"].isfinite().all()


@pytest.mark.parametrize("value", [torch.nan, -torch.inf])
def test_predictions_that_are_no_numbers_are_never_the_best(
    smoke_spec, tmp_path, monkeypatch, value
):
    """Weights may be finite where logits are not: they overflow."""
    from rofit.training import epoch_end

    class Overflowing(torch.nn.Module):
        def __init__(self, network):
            super().__init__()
            self.network = network

        def forward(self, x):
            return self.network(x) + value

    from rofit.training import loop

    def overflowing(folder, epoch, network, *rest, **options):
        network = Overflowing(network) if epoch == 2 else network
        return epoch_end.end_epoch(folder, epoch, network, *rest, **options)

    monkeypatch.setattr(loop, "end_epoch", overflowing)
    spec = smoke_spec(epochs=3)
    message = (
        "after epoch 2, logits are not finite for 64 of 64 images: .*; the last "
        f"checkpoint from before is kept; {CURE}"
    )
    with pytest.raises(Diverged, match=message):
        train(spec, tmp_path)
    folder = folder_of(spec, tmp_path)
    assert last_state(folder)["epoch"] == 1 == last_state(folder)["best"]["epoch"]
    assert {row["epoch"] for row in read_rows(folder.path)} == {1}


def test_a_running_statistic_that_is_infinite_is_named(smoke_spec):
    run = built(smoke_spec())
    check_weights(run)
    name = next(n for n, _ in run.model.named_buffers() if n.endswith("running_var"))
    run.model.get_buffer(name)[0] = torch.inf
    with pytest.raises(Diverged, match=f"{name} became nan or infinite by step 0"):
        check_weights(run)


def test_a_teacher_whose_weights_are_no_numbers_is_refused(smoke_spec, tmp_path):
    from rofit.errors import UserError
    from rofit.methods.resolve import all_teachers

    spec = smoke_spec(method="kd")
    (teacher, *_) = all_teachers([spec])
    folder, _ = train(teacher, tmp_path)
    for path in folder.checkpoints.glob("*.pt"):
        state = checkpoint.load(path, CPU)
        state["model"]["classifier.bias"][3] = torch.nan
        checkpoint.save(state, path)
    with pytest.raises(UserError, match=r"not finite: classifier.bias holds NaN or"):
        train(spec, tmp_path)
