"""When a training is asked to stop, and when it is left at once."""

import signal

import pytest

from rofit import interrupts
from rofit.training import stop as module
from rofit.training.stop import Stop

ANSWERED = interrupts.SIGNALS


@pytest.fixture
def clock(monkeypatch):
    """Seconds of the clock that a Stop reads, to be set."""
    now = [10.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def before():
    """Handlers are put back, whatever a test leaves."""
    handlers = {number: signal.getsignal(number) for number in ANSWERED}
    yield handlers
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ANSWERED)
def test_signal_is_a_request_and_handlers_are_given_back(before, number):
    with Stop() as stop:
        assert not stop.now
        signal.raise_signal(number)
        assert stop.now
    assert {n: signal.getsignal(n) for n in ANSWERED} == before


def test_second_ctrl_c_leaves_at_once_as_it_does_without_a_stop(before, clock):
    with pytest.raises(KeyboardInterrupt), Stop():
        signal.raise_signal(signal.SIGINT)
        clock[0] += 0.11
        signal.raise_signal(signal.SIGINT)
        pytest.fail("it goes on")


def test_ctrl_c_that_a_launcher_passes_on_as_well_is_one(before, clock):
    with Stop() as stop:
        signal.raise_signal(signal.SIGINT)
        clock[0] += 0.09
        signal.raise_signal(signal.SIGINT)
    assert stop.now


def test_second_ctrl_c_ends_a_command_as_unfinished(before, clock, monkeypatch):
    ended = []
    monkeypatch.setattr(interrupts, "end_unfinished", lambda: ended.append(75))
    interrupts.end_on_signals()
    with Stop(), Stop():
        signal.raise_signal(signal.SIGINT)
        assert not ended
        clock[0] += 0.11
        signal.raise_signal(signal.SIGINT)
    assert ended == [75]


def test_schedulers_may_repeat_that_a_process_shall_end(before, clock):
    with Stop() as stop:
        for _ in range(3):
            signal.raise_signal(signal.SIGTERM)
            clock[0] += 60
    assert stop.now


@pytest.mark.parametrize("number", ANSWERED)
def test_signal_inside_of_a_part_is_heard_by_the_whole(before, number):
    with Stop() as whole:
        with Stop() as part:
            signal.raise_signal(number)
        assert part.now and whole.now
        with Stop() as later:
            assert not later.now


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_lost_terminal_is_none_of_what_runs_under_nohup(before):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Stop() as stop:
        signal.raise_signal(signal.SIGHUP)
    assert not stop.now
