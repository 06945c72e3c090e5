"""Runs side by side are what they are alone, and an error or a stop loses none."""

import multiprocessing
import os
import signal
import time
from dataclasses import replace

import pytest
import torch
from filelock import FileLock
from rich.console import Console
from training_helpers import last_state, same, train

from rofit.diagnostics import DIAGNOSTICS
from rofit.errors import UserError
from rofit.running import jobs, runner
from rofit.running.jobs import Died, TrainingJob, work_all
from rofit.settings.recipes import RECIPES
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunStore, read_events, read_rows
from rofit.training.divergence import Diverged
from rofit.training.stop import Stop

QUIET = Console(quiet=True)
SPEC = SCALES["smoke"].apply(RECIPES["sgls"].apply(RunSpec()))
SPEC = SPEC.replace(val_size=16, test_size=16, blocks=(1, 1))
# Steps of 30 images, the last one shorter; augmented, to have all draws in play.
MIXED = [
    SPEC.replace(method=method, seed=seed, batch_size=30, crop_pad=1, flip=True)
    for method, seed in (("sgls", 0), ("sgls", 1), ("pgd_at", 0))
]
LONG, SHORT = SPEC.replace(epochs=200), SPEC.replace(epochs=1)


def job(spec, root):
    """Return a job like the command line's."""
    return TrainingJob(
        spec,
        RunStore(root / "runs").folder(spec.run_id),
        tuple(DIAGNOSTICS),
        (),
        data=root / "data",
        device="cpu",
        engine="auto",
        deterministic=False,
        keep=frozenset(),
        log_to=(),
        label=spec.method,
        quiet=True,
    )


def train_jobs(specs, root, at_a_time, max_minutes=None):
    """Train the runs; return their folders and whether all are done."""
    queue = [job(spec, root) for spec in specs]
    done = work_all(queue, at_a_time, max_minutes, QUIET)
    return [training.folder for training in queue], done


def steps(folder):
    """Return the steps in the newest checkpoint."""
    state = last_state(folder)
    per_epoch = -(-state["spec"]["train_size"] // state["spec"]["batch_size"])
    return per_epoch * state["epoch"] + state["step"]


def events(folder):
    return [row["event"] for row in read_events(folder.path)]


def are_equal(one, other):
    """Assert that two runs are the same bit for bit."""
    same(last_state(one), last_state(other))
    for name in ("epochs.jsonl", "samples/labels.parquet", "done.json", "spec.json"):
        assert (one.path / name).read_bytes() == (other.path / name).read_bytes(), name


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The runs, one after another in this process, with one thread."""
    folders, done = train_jobs(MIXED, tmp_path_factory.mktemp("alone"), 1)
    assert done
    return folders


@pytest.mark.parametrize(
    ("begun", "at_a_time"), [("forked", 2), ("forked", 5), ("from nothing", 2)]
)
def test_runs_side_by_side_equal_those_trained_alone(
    tmp_path, monkeypatch, alone, begun, at_a_time
):
    if begun == "from nothing":
        monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    runs = MIXED[1:] if begun == "from nothing" else MIXED  # seconds of imports each
    together, done = train_jobs(runs, tmp_path, at_a_time)
    assert done
    for one, other in zip(alone[-len(runs) :], together, strict=True):
        are_equal(one, other)


def test_single_run_needs_no_other_process(tmp_path, monkeypatch):
    monkeypatch.delattr(jobs, "_Process")
    (folder,), done = train_jobs([SHORT], tmp_path, 4)
    assert done
    assert folder.state == "done"


class Counted(TrainingJob):
    """A job that only notes how many threads it was given."""

    def work(self, stop, console, *, alone):
        self.folder.path.mkdir(parents=True)
        (self.folder.path / "threads").write_text(str(torch.get_num_threads()))
        return True


@pytest.mark.parametrize(
    ("threads", "at_a_time", "runs", "per_process"),
    [
        (4, 2, 3, 2),
        (5, 2, 2, 2),
        (1, 2, 2, 1),
        (4, 4, 2, 2),
    ],
)
def test_processes_share_the_threads(tmp_path, threads, at_a_time, runs, per_process):
    specs = [SHORT.replace(seed=seed) for seed in range(runs)]
    queue = [Counted(**vars(job(spec, tmp_path))) for spec in specs]
    torch.set_num_threads(threads)
    try:
        assert work_all(queue, at_a_time, None, QUIET)
    finally:
        torch.set_num_threads(1)
    thread_counts = [(job.folder.path / "threads").read_text() for job in queue]
    assert thread_counts == runs * [str(per_process)]


class Forked(TrainingJob):
    """A job that only notes whether its process is one in which CUDA cannot begin."""

    def work(self, stop, console, *, alone):
        self.folder.path.mkdir(parents=True)
        spoiled = str(torch.cuda._is_in_bad_fork())
        (self.folder.path / "spoiled").write_text(spoiled)
        return True


def test_cuda_can_begin_in_the_process_of_a_job(tmp_path):
    """Not where the process that it was forked off had asked CUDA for anything."""
    specs = [SHORT, SHORT.replace(seed=1)]
    queue = [Forked(**vars(job(spec, tmp_path))) for spec in specs]
    assert work_all(queue, 2, None, QUIET)
    for forked in queue:
        assert (forked.folder.path / "spoiled").read_text() == "False"


class Placed(TrainingJob):
    """A job that notes its device, and refuses one where another is at work."""

    def work(self, stop, console, *, alone):
        self.folder.path.parent.mkdir(parents=True, exist_ok=True)
        lock = self.folder.path.parent / f"{self.device.replace(':', '')}.lock"
        with FileLock(lock, timeout=0):
            self.folder.path.mkdir()
            (self.folder.path / "device").write_text(self.device)
            if self.spec.seed == 0:  # the first waits until all others are done
                folders = self.folder.path.parent
                while len(list(folders.glob("*/device"))) < RUNS and not stop.now:
                    time.sleep(0.01)
        return True


RUNS = 6


def test_runs_are_spread_over_devices_one_each_and_the_next_when_free(tmp_path):
    """cpu:0 and cpu:1 are one CPU to torch; they stand for two GPUs."""
    specs = [SHORT.replace(seed=seed) for seed in range(RUNS)]
    queue = [Placed(**vars(job(spec, tmp_path))) for spec in specs]
    assert work_all(queue, 1, None, QUIET, ["cpu:0", "cpu:1"])
    devices = [(job.folder.path / "device").read_text() for job in queue]
    assert devices == ["cpu:0"] + (RUNS - 1) * ["cpu:1"]


def test_fewer_runs_than_devices_begin_on_the_first_ones(tmp_path):
    queue = [Placed(**vars(job(SHORT.replace(seed=9), tmp_path)))]
    assert work_all(queue, 1, None, QUIET, ["cpu:3", "cpu:1"])
    assert (queue[0].folder.path / "device").read_text() == "cpu:3"


class Killed(TrainingJob):
    """A job whose process is killed, as by the system when memory runs out."""

    def work(self, stop, console, *, alone):
        os.kill(os.getpid(), signal.SIGKILL)


def killed(third):
    return Killed(**vars(third))


def diverging(third):
    return replace(third, spec=third.spec.replace(lr=1e30))


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
    "diverged": (diverging, Diverged, "the loss term 'cross_entropy' became"),
    "killed": (killed, Died, "ended with code -9"),
}


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
