"""A job that fails, or a deadline: no other run is lost, and what is left goes on."""

import os
import signal
from dataclasses import replace

import pytest
import torch
from small_jobs import LONG, QUIET, SHORT, SPEC, events, job, steps, train_jobs
from training_helpers import last_state, same, train

from rofit.diagnostics import DIAGNOSTICS
from rofit.errors import UserError
from rofit.running import runner
from rofit.running.jobs import Died, work_all
from rofit.running.training_job import TrainingJob
from rofit.store.runs import read_rows
from rofit.training.divergence import Diverged
from rofit.training.stop import Stop


class Killed(TrainingJob):
    """A job whose process is killed, as by the system when memory runs out."""

    def work(self, stop, console, *, alone):
        os.kill(os.getpid(), signal.SIGKILL)


def killed(third):
    return Killed(**vars(third))


def of_one_image(third):
    return replace(third, spec=third.spec.replace(train_size=129))


def test_gpu_that_is_too_small_for_runs_side_by_side_is_one_sentence(
    tmp_path, monkeypatch
):
    def fill(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(runner, "train", fill)
    sentence = r"for batch_size 64: .*fewer at a time \(--jobs\), .*batch_size=32\)"
    with pytest.raises(UserError, match=sentence):
        train_jobs([SHORT], tmp_path, 1)


FAILS = {
    "locked": (lambda third: third, UserError, "trained by another process; wait"),
    "batch": (of_one_image, UserError, "leave a last batch of one, which BatchNorm"),
    "killed": (killed, Died, "ended with code -9"),
}


@pytest.mark.parametrize("at_a_time", (1, 2))
def test_a_run_that_diverges_stops_no_other(tmp_path, at_a_time):
    specs = [SHORT.replace(lr=1e30), SHORT, SHORT.replace(seed=1, lr=1e30)]
    first, other, third = (job(spec, tmp_path) for spec in specs)
    names = f"2 of 3 diverged: {first.name}, {third.name}; the first: the loss term "
    with pytest.raises(Diverged, match=names):
        work_all([first, other, third], at_a_time, None, QUIET)
    assert other.folder.state == "done"
    assert {events(j.folder)[-1] for j in (first, third)} == {"diverged"}
    with pytest.raises(Diverged, match="^the loss term 'cross_entropy' became"):
        work_all([first], 1, None, QUIET)


@pytest.mark.parametrize("case", FAILS)
def test_error_of_one_run_is_raised_and_the_others_go_on_later(tmp_path, case):
    """The third of two at a time: the first is under way when it fails."""
    spoiled, kind, sentence = FAILS[case]
    long, short = job(LONG, tmp_path), job(SHORT, tmp_path)
    third = spoiled(job(SPEC.replace(seed=2), tmp_path))
    with third.folder.opened({}) if case == "locked" else Stop():
        with pytest.raises(kind, match=sentence):
            work_all([long, short, third], 2, None, QUIET)
    assert short.folder.state == "done"
    assert events(long.folder) == ["start", "stop"]
    made = steps(long.folder)
    assert 0 < made < 400
    lone, _ = train(LONG, tmp_path / "lone", stop_after=made, diagnostics=DIAGNOSTICS)
    same(last_state(lone), last_state(long.folder))
    assert not work_all([long], 1, 0, QUIET)
    assert events(long.folder) == ["start", "stop", "resume", "stop"]
    assert steps(long.folder) > made


@pytest.fixture
def late(tmp_path):
    """Three runs of three epochs, two at a time, with no time at all."""
    specs = [SPEC.replace(epochs=3, seed=seed) for seed in range(3)]
    folders, done = train_jobs(specs, tmp_path, 2, max_minutes=0)
    assert not done
    return folders


def test_runs_that_are_out_of_time_still_train_an_epoch(late):
    for folder in late[:2]:
        assert events(folder) == ["start", "stop"]
        assert steps(folder) == 2
        assert {row["epoch"] for row in read_rows(folder.path)} == {1}


def test_no_run_begins_after_the_deadline(late):
    assert late[2].state == "missing"
