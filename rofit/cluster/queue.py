"""What Slurm says of the user's jobs."""

import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass

from rofit.cluster.settings import minutes
from rofit.errors import UserError

_COMMAND = ("squeue", "--me", "--array", "--noheader", "--format=%i|%T|%N|%L")


@dataclass(frozen=True)
class Queued:
    """A job that has not ended.

    Attributes:
        state: as Slurm calls it, in small letters: pending, running, completing ...
        node: where it runs, empty before.
        minutes_left: to its time limit; None without one.
    """

    state: str
    node: str
    minutes_left: float | None


def read_queue() -> dict[str, Queued]:
    """Return the user's jobs by their ids, ``12_3`` for a task of an array.

    Raises:
        UserError: there is no Slurm here, or it does not answer.
    """
    require_slurm()
    done = subprocess.run(_COMMAND, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"squeue failed: {done.stderr.strip() or done.returncode}")
    return parse_queue(done.stdout)


def require_slurm() -> None:
    """Raise UserError unless Slurm's commands are here."""
    for program in ("sbatch", "squeue"):
        if shutil.which(program) is None:
            raise UserError(
                f"there is no {program} on PATH: --on slurm is for a machine from "
                "which jobs are submitted"
            )


def parse_queue(text: str) -> dict[str, Queued]:
    """Return the jobs in what squeue prints, a line a job: id|state|node|time left."""
    jobs = {}
    for line in text.splitlines():
        job, state, node, left = (word.strip() for word in line.split("|"))
        time = None
        with suppress(ValueError):  # UNLIMITED, NOT_SET, INVALID
            time = minutes(left if ":" in left else f"0:{left}")
        jobs[job] = Queued(state.lower(), node, time)
    return jobs
