"""When a training ends early: a signal at a step's end, a time limit at an epoch's."""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from rofit import interrupts

# Seconds in which a second Ctrl-C is the first one: launchers pass on what the
# terminal has sent to the whole group.
_ECHO = 0.1


def minutes_left(limit: float | None, since: float) -> float | None:
    """Return what is left of *limit* minutes since a time of the monotonic clock.

    At least 0; None without a limit.
    """
    if limit is None:
        return None
    return max(0.0, limit - (time.monotonic() - since) / 60)


class Stop:
    """Catches SIGINT, SIGTERM and SIGHUP while it is open; knows the deadline.

    Ctrl-C twice leaves at once, as it always did; SIGTERM may be repeated, as
    schedulers do. A stop inside another one passes its signals on.

    Attributes:
        signalled: whether any of the signals came.
        interrupted: whether SIGINT was among them.
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
        self.signalled = self.interrupted = False
        self.requested = requested
        self.deadline = (
            None if max_minutes is None else time.monotonic() + 60 * max_minutes
        )
        self._handlers: dict[int, object] = {}
        self._first = 0.0  # when the first Ctrl-C came

    @property
    def now(self) -> bool:
        """Whether to stop at the end of the step under way."""
        return self.signalled or self.requested()

    @property
    def out_of_time(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and time.monotonic() > self.deadline

    def __enter__(self) -> "Stop":
        """Take the signals, as the main thread alone can."""
        if threading.current_thread() is not threading.main_thread():
            return self
        for number in interrupts.taken():
            self._handlers[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *error: object) -> None:
        """Give the signals back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _receive(self, number: int, frame: FrameType | None) -> None:
        before = self._handlers[number]
        inside = isinstance(getattr(before, "__self__", None), Stop)
        if inside or (number == signal.SIGINT and self._is_second()):
            self._pass_on(before, number, frame)
        self.signalled = True
        self.interrupted |= number == signal.SIGINT

    def _is_second(self) -> bool:
        now = time.monotonic()
        self._first = self._first or now
        return now - self._first > _ECHO

    @staticmethod
    def _pass_on(handler: object, number: int, frame: FrameType | None) -> None:
        if handler is interrupts.end:
            interrupts.end_unfinished()
        elif callable(handler):
            handler(number, frame)
