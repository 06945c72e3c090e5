"""What a job does with its work, and with the signals of a scheduler."""

import pickle
import signal
from dataclasses import dataclass

import pytest

from rofit.cluster.node import SIGNALS, NodeTask
from rofit.errors import UserError
from rofit.training.stop import Stop


@dataclass(frozen=True)
class _Work:
    """Sends itself a signal or fails, and says by *stop* whether it was heard."""

    number: int = 0
    error: Exception | None = None

    def work(self, stop, console, *, alone):
        if self.error is not None:
            raise self.error
        with Stop() as inner:  # as rofit.evaluate has one of its own
            if self.number:
                signal.raise_signal(self.number)
            assert inner.now == stop.now == bool(self.number)
        return not stop.now


@pytest.fixture(autouse=True)
def handled():
    """Submitit's place: the signals that it was called with."""
    numbers = (*SIGNALS, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    calls = []

    def submitit(number, frame):
        calls.append(number)
        raise SystemExit(-1)

    signal.signal(signal.SIGUSR2, submitit)
    yield calls
    for number, handler in before.items():
        signal.signal(number, handler)


def _code(**fields):
    """Return the exit code of a job; None where it ends as a function does."""
    try:
        NodeTask(pickle.dumps(_Work(**fields)))()
    except SystemExit as ended:
        return ended.code
    return None


def test_work_that_is_done_ends_as_a_function_does(handled):
    assert _code() is None and not handled


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_of_the_scheduler_stops_the_work_and_requeues_the_job(handled, number):
    assert _code(number=number) == 75
    assert handled == [number]


def test_signal_that_ends_a_job_does_not_requeue_it(handled):
    assert _code(number=signal.SIGTERM) == 75 and not handled


def test_requeue_that_slurm_refuses_is_an_error(capsys):
    def refused(number, frame):
        raise OSError("no scontrol")

    signal.signal(signal.SIGUSR2, refused)
    assert _code(number=signal.SIGUSR1) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "rofit: OSError: no scontrol"


def test_error_is_the_last_line_of_the_log_with_the_commands_code(capsys):
    assert _code(error=UserError("lr must be positive")) == 2
    assert capsys.readouterr().err == "rofit: lr must be positive\n"
    assert _code(error=RuntimeError("a defect")) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Traceback")
    assert lines[-1] == "rofit: RuntimeError: a defect"


def test_requeued_job_has_the_same_work():
    pytest.importorskip("submitit")
    task = NodeTask(pickle.dumps(_Work()))
    assert task.checkpoint().function == task
