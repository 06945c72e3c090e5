"""The jobs of a command: one after another, or several side by side.

Side by side each job is a process with its share of the cores: one run cannot fill a
device. A run is bit for bit what it is alone with that number of threads.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any, Protocol, cast

import torch
from rich.console import Console

from rofit import interrupts
from rofit.distributed.ranks import ALONE, Ranks
from rofit.running.forking import block_signals, process_context
from rofit.running.stopped import work_or_stop
from rofit.training.divergence import Diverged
from rofit.training.stop import Stop

_POLL = 0.2  # seconds between checks for a request to stop


class Died(RuntimeError):
    """A job's process ended without a result; says which and how."""


class Job(Protocol):
    """Work that is described by plain values, which can be sent to another process."""

    @property
    def name(self) -> str:
        """What an error calls it."""

    def work(self, stop: Stop, console: Console, *, alone: bool) -> bool:
        """Do it, or a part that is kept; say whether it is done."""


def work_all(
    jobs: Sequence[Job],
    at_a_time: int,
    max_minutes: float | None,
    console: Console,
    devices: Sequence[str] = (),
    ranks: Ranks = ALONE,
) -> bool:
    """Do every job, *at_a_time* side by side; say whether all are done.

    After the deadline no job begins, but for the first ones, which do a part. With
    *devices* there is one job a device at a time, the next where one is free. Several
    *ranks* do one job after another, together. A run that diverges stops no other.

    Raises:
        UserError, Died: of the first job that fails; others keep a part.
        Diverged: when the other jobs are done; of the first, and how many there are.
    """
    places: list[str | None] = list(devices) if devices else [None] * at_a_time
    places = places[: len(jobs)]
    with Stop(max_minutes) as stop:
        if len(places) > 1:
            return _side_by_side(jobs, places, stop, max_minutes)
        diverged: dict[str, Diverged] = {}
        for number, job in enumerate(jobs):
            if number and ranks.any(stop.now or stop.out_of_time):
                return False
            try:
                done = work_or_stop(_on(job, places[0]), stop, console, alone=True)
            except Diverged as error:
                if ranks.count > 1:  # the first rank alone sees what it evaluates
                    raise
                diverged[job.name] = error
                continue
            if ranks.any(not done):
                return False
        if diverged:
            raise _all_of(diverged, len(jobs))
        return not ranks.any(stop.now)  # a signal may come while the last one ends


def _on(job: Job, device: str | None) -> Job:
    """Return the job on a device, on its own where None."""
    return replace(cast(Any, job), device=device) if device else job


def _side_by_side(
    jobs: Sequence[Job],
    places: Sequence[str | None],
    stop: Stop,
    max_minutes: float | None,
) -> bool:
    """Do every job, one a place at a time: a device, or None for the job's own."""
    context = process_context()
    halted, halt = context.Pipe(duplex=False)
    threads = max(1, torch.get_num_threads() // len(places))
    ends = None if max_minutes is None else time.time() + 60 * max_minutes
    waiting = list(jobs)
    running = [
        _Process(context, waiting.pop(0), place, threads, ends, halted)
        for place in places
    ]
    done, failure = True, None
    diverged: dict[str, Diverged] = {}
    while running:
        connection.wait([process.receiver for process in running], _POLL)
        if stop.now:
            halt.close()
        for process in [process for process in running if process.receiver.poll()]:
            running.remove(process)
            try:
                done = process.result() and done
            except Diverged as error:
                diverged[process.job.name] = error
            except Exception as error:  # raised below, when the others have stopped
                failure = failure or error
                halt.close()
            if waiting and not (halt.closed or stop.out_of_time):
                job, place = waiting.pop(0), process.place
                running.append(_Process(context, job, place, threads, ends, halted))
    if failure is not None:
        raise failure
    done = done and not waiting and not stop.now
    if done and diverged:
        raise _all_of(diverged, len(jobs))
    return done


def _all_of(diverged: dict[str, Diverged], jobs: int) -> Diverged:
    """Return what is raised for the jobs that diverged: of several, their names."""
    first = next(iter(diverged.values()))
    if jobs == 1:
        return first
    names = f"{len(diverged)} of {jobs} diverged: {', '.join(diverged)}"
    return Diverged(f"{names}; the first: {first}")


class _Process:
    """One job in a process of its own."""

    def __init__(
        self,
        context: BaseContext,
        job: Job,
        place: str | None,
        threads: int,
        ends: float | None,
        halted: Connection,
    ) -> None:
        """Start it, with signals blocked until it can answer them with a checkpoint."""
        self.job, self.place = _on(job, place), place
        self.receiver, sender = context.Pipe(duplex=False)
        arguments = (self.job, threads, ends, halted, sender)
        self.process: BaseProcess = context.Process(target=_work, args=arguments)  # type: ignore[attr-defined]
        # A server takes seconds to begin, and blocks them itself.
        block_signals(context.get_start_method() == "spawn")
        try:
            self.process.start()
        finally:
            block_signals(False)
        sender.close()

    def result(self) -> bool:
        """Return whether the run is done, or raise what ended it."""
        try:
            answer = self.receiver.recv()
        except EOFError:
            self.process.join()
            raise Died(
                f"the process of {self.job.name} ended with code "
                f"{self.process.exitcode} (memory?); what it had saved is kept"
            ) from None
        self.process.join()
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)


def _work(
    job: Job, threads: int, ends: float | None, halted: Connection, sender: Connection
) -> None:
    """Do one job in this process, and send the parent its result.

    It stops when the parent closes *halted*, or is no more.
    """
    interrupts.end_in_silence_on_signals()
    torch.set_num_threads(threads)
    minutes = None if ends is None else (ends - time.time()) / 60
    with Stop(minutes, lambda: bool(connection.wait([halted], 0))) as stop:
        block_signals(False)
        answer: object
        try:
            console = Console(stderr=True)
            answer = not stop.now and work_or_stop(job, stop, console, alone=False)
        except SystemExit as ended:  # rich's answer to a closed pipe
            answer = ended.__context__ or Died(f"{job.name} ended itself")
        except Exception as error:
            answer = error
        with suppress(BrokenPipeError):  # the parent is no more
            sender.send(answer)
