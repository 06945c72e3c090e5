"""What a signal says and with which code it ends the process of a command."""

import os
import signal
import sys

import pytest

from rofit import interrupts


class Ended(BaseException):
    """In place of the end of this process."""


@pytest.fixture
def ended(monkeypatch):
    """What was written to standard error, and the exit code, in a list."""
    happened = []

    def leave(code):
        happened.append(code)
        raise Ended

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(os, "write", lambda _, data: happened.append(data.decode()))
    monkeypatch.setattr(os, "isatty", lambda _: False)
    monkeypatch.setattr(sys, "argv", ["rofit"])
    handlers = {number: signal.getsignal(number) for number in interrupts.SIGNALS}
    yield happened
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("name", "line", "code"),
    [
        ("SIGINT", "rofit: interrupted\n", 130),
        ("SIGTERM", "rofit: terminated\n", 143),
        ("SIGHUP", "rofit: hung up\n", 129),
    ],
)
def test_signal_is_one_line_and_the_code_that_shells_have(ended, name, line, code):
    interrupts.end_on_signals()
    with pytest.raises(Ended):
        signal.raise_signal(getattr(signal, name))
    assert ended == [line, code]


def test_process_of_a_job_leaves_the_line_to_its_parent(ended):
    interrupts.end_in_silence_on_signals()
    with pytest.raises(Ended):
        signal.raise_signal(signal.SIGINT)
    assert ended == [75]


def test_command_that_had_begun_says_that_it_goes_on(ended):
    with pytest.raises(Ended):
        interrupts.end_unfinished()
    assert ended == ["unfinished: the same command goes on from here\n", 75]


def test_cursor_that_a_bar_hides_is_shown_again(ended, monkeypatch):
    monkeypatch.setattr(os, "isatty", lambda _: True)
    with pytest.raises(Ended):
        interrupts.end(signal.SIGINT, None)
    assert ended == ["\n\x1b[?25hrofit: interrupted\n", 130]


def test_terminal_that_is_gone_changes_nothing_of_the_end(ended, monkeypatch):
    def refuse(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(Ended):
        interrupts.end(signal.SIGTERM, None)
    assert ended == [143]


def test_debug_shows_where_the_program_was(ended, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["rofit", "list", "--debug"])
    with pytest.raises(KeyboardInterrupt):
        interrupts.end(signal.SIGINT, None)
    assert ended == []


def test_nohup_stays_what_it_is(ended):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interrupts.end_on_signals()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is interrupts.end
