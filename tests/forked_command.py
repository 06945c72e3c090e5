"""The command rofit in a process of its own, for tests that kill it or send signals.

It is forked off a server that has made the imports, as runs side by side are: torch
takes seconds to import, each time.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rofit.__main__ import main
from rofit.running import forking


class ForkedCommand:
    """``rofit <words>`` with its store under *home*, as a process that has begun.

    It has a process group of its own, whose number is that of the process.
    """

    def __init__(
        self, home: Path, *words: object, before: Callable[[], None] = int
    ) -> None:
        """Begin, with a call of *before* in the process.

        What it says on standard error is kept in a file.
        """
        handle, name = tempfile.mkstemp(suffix=".err")
        os.close(handle)
        self.errors = Path(name)
        context = forking.process_context()
        given = (str(home), [str(word) for word in words], name, before)
        self.process = context.Process(target=_run, args=given)
        self.process.start()

    @property
    def returncode(self) -> int | None:
        """Its exit code, minus the signal that ended it; None while it runs."""
        return self.process.exitcode

    def send(self, number: int, *, to_all: bool = False) -> tuple[int | None, str]:
        """Send a signal; return the exit code and what was said on standard error.

        To the command, or to all processes of its group as a terminal does.
        """
        (os.killpg if to_all else os.kill)(self.process.pid, number)
        self.process.join()
        return self.returncode, self.errors.read_text()

    def end(self) -> None:
        """Kill it if it still runs; leave nothing behind."""
        self.process.kill()
        self.process.join()
        self.process.close()
        self.errors.unlink()


def _run(home: str, words: list[str], errors: str, before: Callable[[], None]) -> None:
    os.setsid()
    # The server blocks what was blocked when it began: signals, while jobs start.
    forking.block_signals(False)
    with open(errors, "wb") as stderr, open(os.devnull, "wb") as nowhere:
        os.dup2(stderr.fileno(), 2)
        os.dup2(nowhere.fileno(), 1)
    os.environ["ROFIT_HOME"] = home
    sys.argv = ["rofit", *words]
    before()
    main()
