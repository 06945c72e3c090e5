"""What Slurm says of the user's jobs."""

import shutil
import subprocess
from dataclasses import dataclass

from rofit.errors import UserError

_COMMAND = ("squeue", "--me", "--array", "--noheader", "--format=%i|%T|%N")


@dataclass(frozen=True)
class Queued:
    """A job that has not ended.

    Attributes:
        state: as Slurm calls it, in small letters: pending, running, completing ...
        node: where it runs, empty before.
    """

    state: str
    node: str


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
    """Return the jobs in what squeue prints, a line a job: id|state|node."""
    jobs = {}
    for line in text.splitlines():
        job, state, node = (word.strip() for word in line.split("|"))
        jobs[job] = Queued(state.lower(), node)
    return jobs
