"""Runs side by side are what they are alone, one a place at a time."""

import multiprocessing
import time

import pytest
import torch
from filelock import FileLock
from small_jobs import QUIET, SHORT, SPEC, job, train_jobs
from training_helpers import last_state, same

from rofit.running import jobs
from rofit.running.jobs import work_all
from rofit.running.training_job import TrainingJob

# Steps of 30 images, the last one shorter; augmented, to have all draws in play.
MIXED = [
    SPEC.replace(method=method, seed=seed, batch_size=30, crop_pad=1, flip=True)
    for method, seed in (("sgls", 0), ("sgls", 1), ("pgd_at", 0))
]


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
