"""Sinks while a run trains: each in a thread, fed from the log behind the checkpoints.

An epoch goes to the sinks when a checkpoint that has it is on the disk: a run that was
killed never makes it again. A sink that fails, or does not answer, costs one warning
and is left off; the run does not wait for it but at its end.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread

from rofit.errors import Remark
from rofit.sinks import failure, find_sink
from rofit.sinks.curve import Log, run_info, write_new
from rofit.store.runs import RunFolder

_PATIENCE = 60.0  # seconds that a run which has ended waits for a sink
_LEFT_OFF = "is left off; rofit export --to feeds it later"


@contextmanager
def following(
    log_to: Iterable[str], folder: RunFolder
) -> Iterator[Callable[[int], None]]:
    """Feed the sinks of *log_to* for as long as a run trains.

    Yields:
        A function to be told of the epoch of each checkpoint that is on the disk. It
        returns at once, and raises nothing.

    Raises:
        UserError: no such sink, or its package is not installed.

    Warns:
        UserWarning: a sink has failed, or has not taken all a minute after the end.
    """
    feeders = [_Feeder(text, folder) for text in dict.fromkeys(log_to)]

    def kept(epoch: int) -> None:
        for feeder in feeders:
            feeder.epochs.put(epoch)

    try:
        yield kept
    finally:
        for feeder in feeders:
            feeder.close()


class _Feeder:
    """A sink and the thread that feeds it."""

    def __init__(self, text: str, folder: RunFolder) -> None:
        self.text, self.sink, self.folder = text, find_sink(text), folder
        self.epochs: SimpleQueue[int | None] = SimpleQueue()
        # A daemon: one that hangs must not keep the process from its end.
        self.thread = Thread(target=self._work, name=f"sink {text}", daemon=True)
        self.thread.start()

    def close(self) -> None:
        """Wait for what it has been told of, but not for ever."""
        self.epochs.put(None)
        self.thread.join(_PATIENCE)
        if self.thread.is_alive():
            text = f"{self.text} has not answered for {_PATIENCE:g} s and {_LEFT_OFF}"
            warnings.warn(text, category=Remark, stacklevel=2)

    def _work(self) -> None:
        try:
            run, log, sent = run_info(self.folder), Log(self.folder), dict[str, int]()
            with self.sink.module.opened(run, self.sink.where) as curve:
                while (epoch := self.epochs.get()) is not None:
                    write_new(curve, log, epoch, sent)
        except (Exception, SystemExit) as error:
            text = f"{failure(self.text, error)} and {_LEFT_OFF}"
            warnings.warn(text, category=Remark, stacklevel=2)
