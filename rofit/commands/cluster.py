"""The flags that send a command's work to a cluster: --on slurm and its like."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from rofit.commands.session import Session
from rofit.distributed.launch import launched
from rofit.errors import UserError

if TYPE_CHECKING:
    from rofit.cluster.slurm import Slurm
    from rofit.cluster.tasks import Task

_SETTINGS = {
    "partition": click.option("--partition", metavar="NAME", help="Of --on slurm."),
    "gres": click.option("--gres", metavar="gpu:1", help="Resources of a job."),
    "gpus": click.option("--gpus", type=int, help="GPUs that train one run [1]."),
    "time": click.option("--time", metavar="H:M:S", help="Limit of a job [1:00:00]."),
    "array_parallelism": click.option(
        "--array-parallelism", type=int, help="Jobs at a time [256]."
    ),
    "setup": click.option(
        "--setup", multiple=True, metavar="COMMAND", help="Before a job's work."
    ),
    "shards": click.option("--shards", type=int, help="Jobs an evaluation [1]."),
}


@dataclass(frozen=True)
class Cluster:
    """Where a command's work goes instead of this machine.

    Attributes:
        slurm: takes the jobs.
        wait: whether the command follows them.
    """

    slurm: "Slurm"
    wait: bool

    def work(self, tasks: "Sequence[Task]") -> bool:
        """Submit what is missing, and follow it if so wished; say whether all is done.

        Raises:
            JobsFailed: a job has ended without its result.
            UserError: the jobs cannot be submitted.
        """
        self.slurm.submit(tasks)
        if self.wait:
            return self.slurm.follow(tasks)
        return all(task.work.is_done for task in tasks)


def with_cluster(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags of a cluster to a command, which gets ``cluster``, None without."""

    @wraps(command)
    def with_slurm(session: Session, **options: Any) -> Any:
        settings = {name: options.pop(name) for name in _SETTINGS}
        on, wait = options.pop("on"), options.pop("wait")
        cluster = _cluster(session, settings, wait) if on else None
        if not on:
            _check_none(settings | {"wait": wait or None})
        return command(session, cluster=cluster, **options)

    with_slurm = click.option("--wait", is_flag=True, help="Follow the jobs.")(
        with_slurm
    )
    for option in reversed(_SETTINGS.values()):
        with_slurm = option(with_slurm)
    choice = click.Choice(["slurm"])
    return click.option("--on", type=choice, help="Where jobs run [here].")(with_slurm)


def job_settings(session: Session) -> dict[str, Any]:
    """Return the fields of jobs that are not of one kind alone."""
    flags = session.flags
    return {
        "data": session.places.data,
        "device": flags.device,
        "engine": flags.engine,
        "quiet": False,  # a log is nobody's terminal
    }


def _cluster(session: Session, settings: dict[str, Any], wait: bool) -> Cluster:
    from rofit.cluster.queue import require_slurm
    from rofit.cluster.settings import read_settings
    from rofit.cluster.slurm import Slurm, require_submitit

    flags = session.flags
    if launched():
        raise UserError(
            "--on slurm begins processes itself (--gpus): leave torchrun out"
        )
    if flags.max_minutes is not None:
        raise UserError("--max-minutes is for this machine; --time limits a job")
    if flags.jobs != 1 or flags.devices:
        raise UserError(
            "--jobs and --devices are for this machine; --array-parallelism limits "
            "jobs at a time"
        )
    chosen = read_settings(settings)
    require_submitit()
    require_slurm()
    console = None if flags.quiet else session.console
    return Cluster(Slurm(chosen, session.store, console), wait)


def _check_none(settings: dict[str, Any]) -> None:
    """Raise UserError for a flag of a cluster without --on."""
    for name, value in settings.items():
        if value not in (None, ()):
            flag = name.replace("_", "-")
            raise UserError(f"--{flag} is for jobs of a cluster: add --on slurm")
