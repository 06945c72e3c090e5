"""What is to be submitted: a task a run and kind of work, in arrays by their order.

Slurm knows one dependency an array. So an array has the tasks that wait for nothing,
or for tasks of the arrays before it alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from rofit.cluster.states import TRAINING
from rofit.cluster.together import TrainingTogether
from rofit.methods.resolve import teachers
from rofit.running.checkpoints import is_file
from rofit.running.evaluation_jobs import EvaluationJob
from rofit.running.jobs import Job
from rofit.running.target_jobs import TargetJob
from rofit.running.training_job import TrainingJob
from rofit.store.digests import sha256
from rofit.store.runs import RunStore

Key = tuple[str, str]
# Options of an evaluation that its results do not depend on.
_ELSEWHERE = {"store", "data", "device", "engine", "batch_size"}


class Work(Job, Protocol):
    """What a task does: a job that knows whether it is done."""

    @property
    def is_done(self) -> bool:
        """Whether all of it is there already."""


@dataclass(frozen=True)
class Task:
    """A job to be, of one run.

    Attributes:
        run: id of the run.
        kind: of work; a run is in the queue once a kind, in as many jobs as shards.
        work: what the job does.
        after: the tasks that must have ended before, as (run, kind).
    """

    run: str
    kind: str
    work: Work = field(compare=False)
    after: tuple[Key, ...] = ()

    @property
    def key(self) -> Key:
        """What it is waited for by."""
        return self.run, self.kind


def training_tasks(jobs: Iterable[TrainingJob], gpus: int) -> list[Task]:
    """Return a task a run, of *gpus* processes, after those that it learns from."""
    return [
        Task(
            job.spec.run_id,
            TRAINING,
            job if gpus == 1 else TrainingTogether(job, gpus),
            tuple((spec.run_id, TRAINING) for spec, _ in teachers(job.spec).values()),
        )
        for job in jobs
    ]


def evaluation_tasks(jobs: Iterable[EvaluationJob], shards: int) -> list[Task]:
    """Return *shards* tasks a run, after its training and that of its source.

    Those of one run by other attacks come one after another: they share evaluations.
    """
    tasks: list[Task] = []
    for job in jobs:
        run, kind = job.folder.path.name, f"evaluation by {', '.join(job.attacks)}"
        runs = [run] + ([job.source.path.name] if job.source else [])
        others = {task.key for task in tasks if task.run == run and task.kind != kind}
        after = (*((name, TRAINING) for name in runs), *sorted(others))
        parts = [replace(job, shard=(k, shards)) for k in range(1, shards + 1)]
        tasks += [Task(run, kind, part, after) for part in parts]
    return tasks


def target_tasks(
    targets: Sequence[str],
    options: dict[str, Any],
    shards: int,
    store: RunStore,
) -> list[Task]:
    """Return *shards* tasks a run or file of ``rofit eval``.

    Their kind names the attacks, with a digest of all that the results depend on.
    """
    named = {key: options[key] for key in sorted(options.keys() - _ELSEWHERE)}
    attacks = ", ".join(options.get("attacks", ())) or "the usual attacks"
    tasks = []
    for target in targets:
        path = Path(target).resolve()
        run = path.stem if is_file(target) else store.find(str(target)).path.name
        what = repr((named, str(path) if is_file(target) else run))
        kind = f"evaluation by {attacks} ({sha256(what.encode())[:8]})"
        for k in range(1, shards + 1):
            work = TargetJob(target, options, (k, shards), quiet=False)
            tasks.append(Task(run, kind, work))
    return tasks


def arrays(tasks: Sequence[Task]) -> list[list[Task]]:
    """Return the tasks in arrays, each of which waits for those before it at most.

    What a task waits for and is not among *tasks* has been submitted or is done.
    """
    keys = {task.key for task in tasks}
    levels: dict[Key, int] = {}
    remaining = list(tasks)
    while remaining:
        free = [
            task
            for task in remaining
            if all(key in levels or key not in keys for key in task.after)
        ]
        assert free, "tasks wait for each other"
        remaining = [task for task in remaining if task not in free]
        for task in free:
            before = [levels[key] for key in task.after if key in levels]
            levels[task.key] = 1 + max(before, default=-1)
    by_level: list[list[Task]] = [[] for _ in set(levels.values())]
    for task in tasks:
        by_level[levels[task.key]].append(task)
    return by_level


def lacking(tasks: Iterable[Task], queued: set[Key]) -> list[Task]:
    """Return the tasks that are neither done nor in the queue, none twice."""
    rest: dict[tuple[object, ...], Task] = {}
    for task in tasks:
        if task.key not in queued and not task.work.is_done:
            rest.setdefault((*task.key, task.work.name), task)
    return list(rest.values())
