"""When a training ends early: a signal at a step's end, a time limit at an epoch's."""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType


def minutes_left(limit: float | None, since: float) -> float | None:
    """Return what is left of *limit* minutes since a time of the monotonic clock.

    At least 0; None without a limit.
    """
    if limit is None:
        return None
    return max(0.0, limit - (time.monotonic() - since) / 60)


class Stop:
    """Catches SIGINT and SIGTERM while it is open; knows the deadline.

    The second signal of a kind does what it always did (Ctrl-C twice leaves at once).
    """

    def __init__(
        self,
        max_minutes: float | None = None,
        requested: Callable[[], bool] = lambda: False,
    ) -> None:
        """Set the deadline *max_minutes* from now, or none.

        Args:
            max_minutes: time until the deadline.
            requested: says whether another process, for example, requests a stop.
        """
        self.signalled, self.requested = False, requested
        self.deadline = (
            None if max_minutes is None else time.monotonic() + 60 * max_minutes
        )
        self._handlers: dict[int, object] = {}

    @property
    def now(self) -> bool:
        """Whether to stop at the end of the step under way."""
        return self.signalled or self.requested()

    @property
    def out_of_time(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and time.monotonic() > self.deadline

    def __enter__(self) -> "Stop":
        """Take the two signals, as the main thread alone can."""
        if threading.current_thread() is not threading.main_thread():
            return self
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *error: object) -> None:
        """Give the signals back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.signalled = True
        signal.signal(number, self._handlers[number])  # type: ignore[arg-type]
