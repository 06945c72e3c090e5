"""A watched loop is killed and started again: the same rows, or a sentence."""

import json
import subprocess
import sys

import pytest
import torch
from torch import nn
from toy_problems import batch, conv_net

from rofit import load_logs
from rofit.errors import UserError
from rofit.store.runs import RunStore, read_events
from rofit.watch import watch

EPOCHS = 4
X, TRUE = (tensor.clone() for tensor in batch(40, n_classes=3))
NOISY = torch.where(torch.arange(40) % 4 == 0, (TRUE + 1) % 3, TRUE)
SPLITS = {
    "train": (X, NOISY),
    "val": batch(20, n_classes=3, seed=2),
    "test": batch(20, n_classes=3, seed=1),
}


@pytest.fixture(autouse=True)
def stream_of_the_tests():
    with torch.random.fork_rng(devices=[]):
        yield


class Loop:
    """A deterministic loop with a checkpoint of its own after every epoch."""

    def __init__(self, root):
        self.root, self.net = root, conv_net().insert(4, nn.Dropout(0.2))
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1, momentum=0.9)
        self.own = root / "own.pt"
        if self.own.exists():
            state = torch.load(self.own, weights_only=True)
            self.net.load_state_dict(state["net"])
            self.optimizer.load_state_dict(state["optimizer"])
            torch.set_rng_state(state["stream"])
        else:
            torch.manual_seed(0)

    def watch(self, **options):
        options = {"true": TRUE, "epochs": EPOCHS, "eval_steps": 2} | options
        store = self.root / "runs"
        return watch(self.net, **SPLITS, store=store, **options)

    def steps(self, watched, epoch, most=4):
        order = torch.randperm(40, generator=torch.Generator().manual_seed(epoch))
        for index in order.chunk(4)[:most]:
            logits = self.net(X[index])
            loss = nn.functional.cross_entropy(logits, NOISY[index])
            self.optimizer.zero_grad()
            loss.backward()
            watched.step(logits, NOISY[index], loss)
            self.optimizer.step()

    def run(self, watched, begin, end=EPOCHS):
        for epoch in range(begin, end):
            self.steps(watched, epoch)
            watched.epoch(lr=0.1)
            state = {"net": self.net.state_dict(), "stream": torch.get_rng_state()}
            torch.save(state | {"optimizer": self.optimizer.state_dict()}, self.own)
        return self


def folder(root):
    (run,) = RunStore(root / "runs").runs()
    return run


def numbers(root):
    return (folder(root).path / "epochs.jsonl").read_text()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    root = tmp_path_factory.mktemp("unbroken")
    loop = Loop(root)
    return root, loop.run(loop.watch(), 0).net.state_dict()


@pytest.mark.parametrize("stopped", [1, 3])
def test_loop_that_goes_on_logs_the_numbers_of_an_unbroken_one(
    unbroken, tmp_path, stopped
):
    first = Loop(tmp_path)
    watched = first.watch()
    first.run(watched, 0, stopped)
    first.steps(watched, stopped, most=2)  # and then it was killed
    watched.close()
    second = Loop(tmp_path)
    watched = second.watch(resume=True)
    assert watched.done == stopped
    second.run(watched, watched.done)
    root, weights = unbroken
    assert numbers(tmp_path) == numbers(root)
    assert '"corrupted_ever_learnt"' in numbers(root)
    assert '"prior": "trained"' in numbers(root)
    assert all(torch.equal(weights[n], w) for n, w in second.net.state_dict().items())
    for name in ("done.json", "spec.json"):
        texts = [(folder(r).path / name).read_text() for r in (tmp_path, root)]
        assert texts[0] == texts[1]
    for name in ("best.pt", "last.pt"):
        one, other = (
            torch.load(folder(r).checkpoints / name, weights_only=True)
            for r in (tmp_path, root)
        )
        assert one["epoch"] == other["epoch"]
        assert all(torch.equal(w, other["model"][n]) for n, w in one["model"].items())
    kinds = [event["event"] for event in read_events(folder(tmp_path).path)]
    assert kinds == ["start", "resume", "stop"]
    assert load_logs(tmp_path / "runs")["state"].unique().tolist() == ["done"]


@pytest.mark.parametrize("kept", [0, 2, 3])
def test_rows_after_the_own_checkpoint_are_dropped_and_made_again(
    unbroken, tmp_path, kept
):
    first = Loop(tmp_path)
    watched = first.watch()
    first.run(watched, 0, kept)
    own = first.own.read_bytes() if kept else b""
    first.run(watched, kept, 4)
    watched.close()
    first.own.write_bytes(own)
    if not kept:
        first.own.unlink()
    second = Loop(tmp_path)
    watched = second.watch(resume=True)
    assert watched.done == 4
    watched.resume_from(kept)
    assert watched.done == kept and folder(tmp_path).state != "done"
    second.run(watched, kept)
    assert numbers(tmp_path) == numbers(unbroken[0])
    ended = [
        json.loads((folder(r).path / "done.json").read_text())
        for r in (tmp_path, unbroken[0])
    ]
    assert ended[0] == ended[1]


def test_other_weights_than_the_log_ends_with_are_refused_at_the_first_step(tmp_path):
    first = Loop(tmp_path)
    watched = first.watch()
    first.run(watched, 0, 1)
    own = first.own.read_bytes()
    first.run(watched, 1, 2)
    watched.close()
    first.own.write_bytes(own)
    second = Loop(tmp_path)
    watched = second.watch(resume=True)
    with pytest.raises(
        UserError, match=r"weights of epoch 1, .*: call resume_from\(1\)"
    ):
        second.steps(watched, 1)
    watched.close()
    first.own.unlink()
    anew = Loop(tmp_path)
    watched = anew.watch(resume=True)
    with pytest.raises(UserError, match=r"weights of epoch 0, .* goes to epoch 2"):
        anew.steps(watched, 0)


def test_epoch_is_known_by_the_weights_that_it_ended_with(tmp_path):
    first = Loop(tmp_path)
    watched = first.watch()
    first.run(watched, 0, 2)
    own = first.own.read_bytes()
    first.run(watched, 2, 3)
    first.own.write_bytes(own)
    second = Loop(tmp_path)
    watched = second.watch(resume=True)
    watched.resume_from()
    assert watched.done == 2
    next(second.net.parameters()).data += 1
    with pytest.raises(UserError, match="after 0 to 2 of them, got weights of none"):
        watched.resume_from()


def test_folder_without_an_epoch_is_used_again(tmp_path):
    first = Loop(tmp_path)
    before = first.watch()
    first.steps(before, 0, most=2)
    assert folder(tmp_path).state == "started"
    second = Loop(tmp_path)  # the other one lives still, as in a notebook
    watched = second.watch()
    with pytest.raises(UserError, match="was taken over by another watch"):
        first.steps(before, 0)
    second.run(watched, 0, 1)
    with pytest.raises(UserError, match="holds a run already"):
        first.watch()
    second.run(watched, 1)  # which a call that was refused has not disturbed
    assert folder(tmp_path).state == "done"


def test_folder_of_an_older_version_without_an_epoch_is_used_again(tmp_path):
    first = Loop(tmp_path)
    first.watch().close()
    run = folder(tmp_path)
    spec = json.loads((run.path / "spec.json").read_text())
    del spec["source"]
    (run.path / "spec.json").write_text(json.dumps(spec))
    (run.path / "digests.jsonl").unlink()
    for path in run.checkpoints.iterdir():
        path.unlink()
    run.checkpoints.rmdir()
    first.watch()
    assert "source" in json.loads((run.path / "spec.json").read_text())


def test_a_folder_with_epochs_asks_for_resume_and_one_that_keeps_nothing_says_so(
    tmp_path,
):
    first = Loop(tmp_path)
    watched = first.watch()
    first.run(watched, 0, 1)
    watched.close()
    with pytest.raises(
        UserError, match=r"a run already; .* watch\(\.\.\., resume=True"
    ):
        Loop(tmp_path).watch()
    (folder(tmp_path).checkpoints / "watched.pt").unlink()
    with pytest.raises(UserError, match="keeps nothing to go on with"):
        Loop(tmp_path).watch(resume=True)


def test_epochs_that_are_not_there_cannot_be_gone_on_after(tmp_path):
    loop = Loop(tmp_path)
    watched = loop.watch()
    with pytest.raises(UserError, match="after 0 to 0 of them, got 1"):
        watched.resume_from(1)
    loop.steps(watched, 0, most=1)
    with pytest.raises(UserError, match="before the first step"):
        watched.resume_from(0)


def test_a_run_that_is_done_takes_no_step_more(unbroken):
    loop = Loop(unbroken[0])
    watched = loop.watch(resume=True)
    assert watched.done == EPOCHS
    with pytest.raises(UserError, match="has all its 4 epochs"):
        loop.steps(watched, 4)


def test_another_process_that_watches_holds_the_folder(tmp_path):
    watched = Loop(tmp_path).watch()
    code = f"""
import sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from test_watch_resume import Loop
Loop(Path({str(tmp_path)!r})).watch()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "is being trained by another process" in done.stderr
    watched.close()
