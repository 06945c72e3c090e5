"""Checkpoints that a kill cannot tear, and that hold tensors and plain values only.

A file is a zip archive whose members have checksums (CRC-32): they are compared before
anything is read, which torch does not do. A state says of which run it is.

Schedule and random streams are functions of seed, epoch and step, so those counters are
all there is to keep of them.
"""

import os
import pickle
import warnings
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from torch import Tensor

from rofit.errors import is_out_of_memory
from rofit.writing import replace, writes_file, writing

# What zipfile and torch raise where a file is torn, or another program's.
_TORN = (RuntimeError, EOFError, ValueError, LookupError, OSError, TypeError)
_DAMAGED = (*_TORN, BadZipFile, pickle.UnpicklingError)
LAST, PREVIOUS, BEST = "last.pt", "last-previous.pt", "best.pt"


@writes_file
def save(state: dict[str, Any], path: Path) -> None:
    """Write *state* so that *path* holds the old file or the new one, whole.

    A temporary file in the same folder is flushed to the disk and then renamed. The
    run's folder must be there: where it was removed, no half of it is made.

    Raises:
        NotWritten: the disk does not take it.
    """
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with open(temporary, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    replace(temporary, path)


class Writer(AbstractContextManager["Writer"]):
    """Writes the checkpoints of a run in a thread, one after another.

    Training goes on meanwhile: what is written is a copy. A write that fails raises
    here, at a later call or at the end.
    """

    _WAITING = 3  # copies that are held in memory at a time

    def __init__(
        self, folder: Path, kept: Callable[[int], None] = lambda epoch: None
    ) -> None:
        """Write into *folder*; *kept* is told the epoch of every ``last.pt`` there is.

        In the thread, when the file is on the disk.
        """
        self.folder, self.kept = folder, kept
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._writes: deque[Future[None]] = deque()
        self._last: Future[None] | None = None

    def __exit__(self, *error: object) -> None:
        """Wait until all is written."""
        self._thread.shutdown()
        if error[0] is None:
            self._wait_for(len(self._writes))

    def save(self, state: dict[str, Any], name: str) -> None:
        """Write *state* as *name*."""
        self._begin(save, state, self.folder / name)

    def save_last(self, state: Callable[[], dict[str, Any]], *, must: bool) -> None:
        """Write ``last.pt``, keeping the one before as ``last-previous.pt``.

        Left out while the one before is being written, unless it *must*: a slow disk
        makes checkpoints rarer and not the training slower.
        """
        if must or self._last is None or self._last.done():
            self._last = self._begin(self._save_last, state(), self.folder)

    def _begin(
        self,
        write: Callable[[dict[str, Any], Path], None],
        state: dict[str, Any],
        path: Path,
    ) -> "Future[None]":
        self._wait_for(sum(future.done() for future in self._writes))
        self._wait_for(len(self._writes) - self._WAITING + 1)
        self._writes.append(self._thread.submit(write, _copied(state), path))
        return self._writes[-1]

    def _save_last(self, state: dict[str, Any], folder: Path) -> None:
        last = folder / LAST
        if last.exists():
            with writing(last):
                replace(last, folder / PREVIOUS)
        save(state, last)
        self.kept(state["epoch"])

    def _wait_for(self, writes: int) -> None:
        """Wait for the oldest writes, and raise what went wrong with them."""
        for _ in range(writes):
            self._writes.popleft().result()


def _copied(state: Any) -> Any:
    """Return a state whose tensors are copies in the CPU's memory."""
    if isinstance(state, Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        return {key: _copied(value) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(_copied(value) for value in state)
    return state


def load_last(folder: Path, device: torch.device) -> tuple[dict[str, Any], str] | None:
    """Return the newest sound state and its file name; None if there is none."""
    for name in (LAST, PREVIOUS):
        state = load(folder / name, device)
        if state is not None:
            return state, name
    return None


def load(path: Path, device: torch.device) -> dict[str, Any] | None:
    """Return the state in *path*, or None where it is missing, torn or damaged.

    Raises:
        RuntimeError, MemoryError: there is too little memory for it.
    """
    if not path.exists():
        return None
    try:
        with ZipFile(path) as archive:
            if archive.testzip():
                return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles that are no checkpoints
            return torch.load(path, map_location=device, weights_only=True)
    except _DAMAGED as error:
        if is_out_of_memory(error):  # and no word about the file
            raise
        return None
