"""Tasks become jobs of Slurm, through submitit; and are followed until they end."""

import pickle
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from rofit.cluster.ledger import Ledger, Submitted
from rofit.cluster.node import NodeTask
from rofit.cluster.queue import read_queue, require_slurm
from rofit.cluster.settings import SlurmSettings
from rofit.cluster.states import rows, sentence
from rofit.cluster.tasks import Task, arrays, lacking
from rofit.cluster.together import TrainingTogether
from rofit.errors import UserError
from rofit.store.runs import RunStore
from rofit.training.stop import Stop

_POLL = 3.0  # seconds between two looks at the queue
# Looks after the last job has ended for which a result may still be on its way: network
# file systems show a new file after half a minute.
_LATE = 10
_PATIENCE = 300.0  # seconds for which the queue may not answer
# Time limits that a job may reach, for submitit; a run that does not get on ends so.
_TIMEOUTS = 100
_GPUS = re.compile(r"gpu(:[a-zA-Z][^:,]*)?(:\d+)?")  # a kind, a number


class JobsFailed(RuntimeError):
    """Jobs ended without what they were submitted for; says which, why, and the log."""


@dataclass(frozen=True)
class Slurm:
    """The cluster of one command.

    Attributes:
        settings: of its jobs.
        store: of the runs; what was submitted is written down there.
        console: where ids and progress are shown; nowhere where None.
    """

    settings: SlurmSettings
    store: RunStore
    console: Console | None

    def submit(self, tasks: Sequence[Task]) -> list[Submitted]:
        """Submit the tasks that are neither done nor in the queue; return their jobs.

        Raises:
            UserError: no submitit, no Slurm, or it refuses the jobs.
        """
        require_submitit()
        require_slurm()
        ledger = Ledger(self.store.root)
        submitted: list[Submitted] = []
        with ledger.held():
            queue = read_queue()
            waiting: dict[tuple[str, str], list[str]] = {}
            for job in ledger.jobs():
                if job.job in queue:
                    waiting.setdefault(job.key, []).append(job.job)
            for array in arrays(lacking(tasks, set(waiting))):
                before = [
                    job
                    for key in dict.fromkeys(
                        key for task in array for key in task.after
                    )
                    for job in waiting.get(key, ())
                ]
                ids = self._submit_array(ledger, array, before)
                jobs = [
                    Submitted(task.run, task.kind, job)
                    for task, job in zip(array, ids, strict=True)
                ]
                ledger.add(jobs)
                for job in jobs:
                    waiting.setdefault(job.key, []).append(job.job)
                    self._show(f"job {job.job}  {job.kind} of run {job.run}")
                submitted += jobs
        return submitted

    def follow(self, tasks: Sequence[Task]) -> bool:
        """Show how far the tasks' jobs are until none is in the queue.

        Returns:
            Whether all tasks are done; False after a signal, which ends no job.

        Raises:
            JobsFailed: jobs have ended, and a task is not done.
        """
        keys = {task.key for task in tasks}
        shown: dict[str, str] = {}
        idle = 0
        with Stop() as stop, self._live() as live:
            while True:
                queue = self._queue(stop)
                if stop.now:
                    return False
                lines = [r for r in rows(self.store, queue) if _key(r) in keys]
                jobs = {line["job"] for line in lines}
                idle = 0 if jobs & queue.keys() else idle + 1
                over = idle > (_LATE if any(map(_is_unexplained, lines)) else 0)
                if over or not idle:
                    self._show_lines(lines, shown, live)
                if over:
                    break
                _pause(_POLL, stop)
        failed = [sentence(line) for line in lines if line["state"] == "failed"]
        rest = [task.work.name for task in tasks if not task.work.is_done]
        if rest:
            more = f"; {len(failed) - 1} more failed" if len(failed) > 1 else ""
            first = failed[0] if failed else f"{rest[0]} has ended and is not done"
            raise JobsFailed(f"{first}{more}")
        return True

    def _submit_array(
        self, ledger: Ledger, tasks: list[Task], before: list[str]
    ) -> list[str]:
        """Submit an array that begins when the jobs *before* have ended; return ids."""
        from submitit import SlurmExecutor
        from submitit.core.utils import FailedJobError

        executor = SlurmExecutor(ledger.folder, max_num_timeout=_TIMEOUTS)
        extra = {"requeue": True}
        parameters: dict[str, Any] = {"job_name": "rofit", "wckey": None}
        parameters |= self.settings.sbatch() | _gpus(tasks, self.settings.gres)
        parameters["additional_parameters"] = extra
        if before:
            parameters["dependency"] = f"afterany:{':'.join(before)}"
        executor.update_parameters(**parameters)
        functions = [NodeTask(pickle.dumps(task.work)) for task in tasks]
        try:
            jobs = executor.submit_array(functions)
        except FailedJobError as error:
            said = str(error).strip().splitlines()[-1]
            raise UserError(f"Slurm refuses the jobs: {said}") from None
        return [job.job_id for job in jobs]

    def _queue(self, stop: Stop) -> dict[str, Any]:
        """Return the queue; a controller may be away for minutes."""
        waited = 0.0
        while True:
            try:
                return read_queue()
            except UserError:
                waited += _POLL
                if waited > _PATIENCE:
                    raise
            if stop.now:
                return {}
            _pause(_POLL, stop)

    def _live(self) -> Live:
        shown = self.console or Console(quiet=True)
        quiet = not shown.is_terminal
        return Live(console=Console(quiet=True) if quiet else shown, auto_refresh=False)

    def _show(self, text: str) -> None:
        if self.console is not None:
            self.console.print(text, soft_wrap=True, highlight=False, markup=False)

    def _show_lines(
        self, lines: list[dict[str, Any]], shown: dict[str, str], live: Live
    ) -> None:
        """Show a line a run: in place on a terminal, elsewhere when its state changes.

        *shown* has the states that were written.
        """
        if self.console is not None and self.console.is_terminal:
            live.update(Text("\n".join(map(sentence, lines))), refresh=True)
            return
        for number, line in enumerate(lines):
            name = f"{_key(line)} {number}"
            if shown.get(name) != line["state"]:
                shown[name] = line["state"]
                self._show(sentence(line))


def _gpus(tasks: Sequence[Task], gres: str) -> dict[str, str]:
    """Return the GPUs of trainings by several processes, of the kind that *gres* names.

    Nothing for other work, on the CPU, and where *gres* is of other resources.
    """
    works = [task.work for task in tasks if isinstance(task.work, TrainingTogether)]
    counts = {work.count for work in works if work.job.device != "cpu"}
    match = _GPUS.fullmatch(gres or "gpu")
    if not counts or match is None:
        return {}
    return {"gres": f"gpu{match[1] or ''}:{counts.pop()}"}


def require_submitit() -> None:
    """Raise UserError unless submitit is installed."""
    if find_spec("submitit") is None:
        raise UserError(
            "--on slurm needs submitit, which is not installed: pip install "
            "'rofit[slurm]'"
        )


def _key(row: dict[str, Any]) -> tuple[str, str]:
    return row["run"], row["work"]


def _is_unexplained(row: dict[str, Any]) -> bool:
    """Return whether a job has left neither a result nor rofit's sentence why."""
    return row["state"] == "failed" and not row["error"].startswith("rofit: ")


def _pause(seconds: float, stop: Stop) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and not stop.now:
        time.sleep(0.1)
