"""What a signal does to the process of a command: one line, a code, no traceback.

The process ends where it is, in the middle of an import or of a library's call: an
exception would be swallowed there, or printed. Nothing has to be tidied up, as files
are whole at any moment.
"""

import os
import signal
import sys
from types import FrameType

UNFINISHED, CLOSED_PIPE = 75, 128 + 13
GOES_ON = "unfinished: the same command goes on from here"
_WORDS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}
# Windows has no SIGHUP.
SIGNALS = tuple(getattr(signal, name) for name in _WORDS if hasattr(signal, name))


def end_on_signals() -> None:
    """End this process at the first signal, with one line and the shell's code."""
    for number in taken():
        signal.signal(number, end)


def end_in_silence_on_signals() -> None:
    """End this process at the first signal without a line: its parent has one."""
    for number in taken():
        signal.signal(number, end_in_silence)


def taken() -> list[signal.Signals]:
    """Return the signals that are answered: SIGHUP not where nohup has it ignored."""
    ignored = signal.SIG_IGN
    return [n for n in SIGNALS if n != SIGNALS[-1] or signal.getsignal(n) != ignored]


def end(number: int, frame: FrameType | None) -> None:
    """End with what the signal means and exit code 130, 143 or 129."""
    name = signal.Signals(number).name
    if name == "SIGINT" and "--debug" in sys.argv:
        raise KeyboardInterrupt  # its traceback says where the program was
    _leave(f"rofit: {_WORDS[name]}", 128 + number)


def end_unfinished() -> None:
    """End with the sentence that the same command goes on and its exit code, 75."""
    _leave(GOES_ON, UNFINISHED)


def end_in_silence(number: int, frame: FrameType | None) -> None:
    """End with exit code 75."""
    os._exit(UNFINISHED)


def _leave(line: str, code: int) -> None:
    # rich hides the cursor, and the terminal has written ^C.
    shown = f"\n\x1b[?25h{line}\n" if os.isatty(2) else f"{line}\n"
    try:
        os.write(2, shown.encode())
    except OSError:  # the terminal is gone
        pass
    os._exit(code)
