"""Work that fails because of the very signal that requests it to stop."""

from typing import TYPE_CHECKING

from rich.console import Console

from rofit.training.divergence import Diverged
from rofit.training.stop import Stop
from rofit.writing import NotWritten

if TYPE_CHECKING:
    from rofit.running.jobs import Job


def work_or_stop(job: "Job", stop: Stop, console: Console, *, alone: bool) -> bool:
    """Do a job, or a part that is kept; say whether it is done.

    A terminal interrupts the compiler that a job has begun as well: what fails after a
    signal is unfinished, and the same command says what else it may be.

    Raises:
        NotWritten, Diverged: after a signal too.
        Exception: of the job.
    """
    try:
        return job.work(stop, console, alone=alone)
    except (NotWritten, Diverged):
        raise
    except Exception:
        if stop.signalled:
            return False
        raise
