"""The runs of a command: one after another, or several side by side.

Side by side each run is a process with its share of the cores, because one run cannot
fill a device, and because two cores serve two small networks better than one. A run
is bit for bit what it is alone with that number of threads.
"""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from rofit import runner
from rofit.progress import Lines, Report, report
from rofit.spec import RunSpec
from rofit.store import RunFolder
from rofit.training.stop import Stop

_LOOK = 0.2  # seconds between looks at whether to stop


@dataclass(frozen=True)
class Job:
    """One run to be trained, as plain values that another process can be given."""

    spec: RunSpec
    folder: RunFolder
    diagnostics: tuple[str, ...]
    data: Path
    device: str
    engine: str
    deterministic: bool
    keep: frozenset[int]
    label: str
    quiet: bool

    def train(self, stop: Stop, console: Console, *, alone: bool) -> bool:
        """Train the run; say whether it is done."""

        def told(spec: RunSpec, done: int) -> Report:
            if self.quiet:
                return Report()
            shown = report if alone else Lines
            return shown(console, self.label, spec.epochs, done)

        return runner.run(
            self.spec,
            self.folder,
            self.diagnostics,
            data=self.data,
            device=runner.find_device(self.device),
            engine=self.engine,
            deterministic=self.deterministic,
            stop=stop,
            report=told,
            keep=self.keep,
        )


def train_all(
    jobs: list[Job], at_a_time: int, max_minutes: float | None, console: Console
) -> bool:
    """Train every run, *at_a_time* side by side; say whether all are done.

    Raises:
        UserError, Diverged: of the first run that fails; others stop with a checkpoint.
    """
    with Stop(max_minutes) as stop:
        if min(at_a_time, len(jobs)) > 1:
            return _side_by_side(jobs, at_a_time, stop, max_minutes)
        for number, job in enumerate(jobs):
            if number and (stop.now or stop.out_of_time):
                return False
            if not job.train(stop, console, alone=True):
                return False
    return True


def _side_by_side(
    jobs: list[Job], at_a_time: int, stop: Stop, max_minutes: float | None
) -> bool:
    context = multiprocessing.get_context("spawn")  # CUDA and threads forbid fork
    halt = context.Event()
    threads = max(1, torch.get_num_threads() // at_a_time)
    ends = None if max_minutes is None else time.time() + 60 * max_minutes
    with ProcessPoolExecutor(
        at_a_time, context, initializer=_begin, initargs=(threads, halt.is_set)
    ) as pool:
        running: set[Future[bool]] = {pool.submit(_train, j, ends) for j in jobs}
        done = True
        try:
            while running:
                ended, running = wait(running, _LOOK, return_when="FIRST_COMPLETED")
                done = all([_result(each) for each in ended]) and done
                if stop.now:
                    halt.set()
                if stop.now or stop.out_of_time:
                    for each in running:
                        each.cancel()  # those that have not begun
        finally:
            halt.set()
    return done


def _result(future: Future[bool]) -> bool:
    return not future.cancelled() and future.result()


# How a process of the pool hears from its parent; set once, when the process begins.
_asked: Callable[[], bool]


def _begin(threads: int, asked: Callable[[], bool]) -> None:
    """Prepare a process of the pool."""
    global _asked
    _asked = asked
    torch.set_num_threads(threads)


def _train(job: Job, ends: float | None) -> bool:
    left = None if ends is None else (ends - time.time()) / 60
    with Stop(left, _asked) as stop:
        return not stop.now and job.train(stop, Console(stderr=True), alone=False)
