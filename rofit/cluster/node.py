"""What a node does: the work of one task, and what it answers to the cluster's signals.

Slurm sends a signal some time before the limit of a job, and may send one when a job
must leave. The work stops at the end of a step or batch with all of it kept; then the
job is requeued, by submitit, and goes on from there. Few imports: until this module
answers signals, one ends the job.
"""

import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

from rofit.errors import UserError, one_line
from rofit.interrupts import UNFINISHED

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

SIGNALS = (signal.SIGUSR1, signal.SIGUSR2)  # of schedulers and of users


@dataclass
class NodeTask:
    """The function of a job, as submitit takes it.

    Attributes:
        work: a `rofit.cluster.tasks.Work`, pickled: reading it imports torch.
    """

    work: bytes
    _leaves: int = field(default=0, init=False)  # the signal after which it is requeued

    def __call__(self) -> None:
        """Do the work; end the process where it is not done.

        Exit codes are those of the command: 1 error, 2 usage, 75 unfinished.
        """
        requeue = signal.getsignal(signal.SIGUSR2)  # submitit's
        for number in SIGNALS:
            signal.signal(number, self._leave)
        try:
            done = self._done()
        except Exception as error:
            raise SystemExit(exit_code(error)) from None
        if done:
            return
        if self._leaves and callable(requeue):
            _requeue(requeue, self._leaves)
        raise SystemExit(UNFINISHED)

    def checkpoint(self) -> "DelayedSubmission":
        """Return what the requeued job does: the same, from what is kept."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(NodeTask(self.work))

    def _done(self) -> bool:
        from rofit.training.stop import Stop

        with Stop() as stop:
            if self._leaves:  # before there was a Stop to hear of it
                return False
            from rich.console import Console

            from rofit.running.stopped import work_or_stop

            work = pickle.loads(self.work)
            # as wide as sentences are: nobody's terminal
            console = Console(stderr=True, width=1000)
            return work_or_stop(work, stop, console, alone=False)

    def _leave(self, number: int, frame: FrameType | None) -> None:
        """Stop as after SIGTERM, which every Stop of the work hears."""
        self._leaves = number
        signal.raise_signal(signal.SIGTERM)


def _requeue(handler: Callable[..., Any], number: int) -> None:
    """Have submitit keep the task and requeue the job; end with 75.

    Raises:
        SystemExit: always, with 1 where Slurm does not take it.
    """
    try:
        handler(number, None)
    except SystemExit:
        raise SystemExit(UNFINISHED) from None
    except Exception as error:
        exit_code(error)
        raise SystemExit(1) from None


def exit_code(error: Exception) -> int:
    """Write the error as the last lines of the job's log; return the command's code."""
    if not isinstance(error, UserError):
        traceback.print_exception(error)
    text = str(error) if isinstance(error, UserError) else _named(error)
    print(f"rofit: {one_line(text)}", file=sys.stderr, flush=True)
    return 2 if isinstance(error, UserError) else 1


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
