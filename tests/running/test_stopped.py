"""What fails after a signal is unfinished, but for what the user must hear."""

import signal

import pytest
from rich.console import Console

from rofit.errors import UserError
from rofit.running.jobs import work_all
from rofit.training.divergence import Diverged
from rofit.writing import NotWritten

QUIET = Console(quiet=True)


class Failing:
    """A job that gets a signal, or none, and fails."""

    name = "a job"

    def __init__(self, error, *signals):
        self.error, self.signals = error, signals

    def work(self, stop, console, *, alone):
        for number in self.signals:
            signal.raise_signal(number)
        raise self.error


@pytest.mark.parametrize("error", [RuntimeError("g++ failed"), UserError("compiler")])
def test_compiler_that_the_signal_has_ended_too_is_no_error(error):
    assert work_all([Failing(error, signal.SIGINT)], 1, None, QUIET) is False
    with pytest.raises(type(error), match=str(error).replace("+", ".")):
        work_all([Failing(error)], 1, None, QUIET)


@pytest.mark.parametrize("kind", [NotWritten, Diverged])
def test_what_a_stop_cannot_have_caused_is_said(kind):
    with pytest.raises(kind, match="said"):
        work_all([Failing(kind("said"), signal.SIGTERM)], 1, None, QUIET)


class Ending:
    """A job that is done, and gets a signal just before."""

    name = "a job"

    def work(self, stop, console, *, alone):
        signal.raise_signal(signal.SIGINT)
        return True


def test_signal_while_the_last_job_ends_is_heard():
    assert work_all([Ending()], 1, None, QUIET) is False
