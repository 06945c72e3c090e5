"""Plain files: written whole or not at all, read line by line."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from rofit.errors import UserError
from rofit.writing import replace, sync_folder, unwritable, writes_file


def is_locked(path: Path) -> bool:
    """Return whether another process holds the lock in a file."""
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


@contextmanager
def locked(
    path: Path,
    busy: str,
    *,
    store: Path,
    make: Callable[[], object],
    seconds: float = 0,
) -> Iterator[None]:
    """Hold the lock in a file of a store.

    Args:
        path: of the lock.
        busy: what is said if another process holds it.
        store: what is named if it cannot be written.
        make: makes the lock's folder.
        seconds: that another process has to give it up.

    Raises:
        UserError: another process holds it, or the store cannot be written.
        NotWritten: the disk is full or broken.
    """
    try:
        make()
        held = FileLock(path, timeout=seconds).acquire()
    except Timeout:
        raise UserError(busy) from None
    except OSError as error:
        raise unwritable(f"the store {store}", error, "--store") from None
    with held:
        yield


@contextmanager
def waiting_for(path: Path, seconds: float) -> Iterator[None]:
    """Hold the lock in a file, waiting for those who hold it before.

    By flock, which is asked for again and again and never waits in the system: where
    the server of a network file system has lost a lock's owner, a sentence says so.

    Raises:
        UserError: it is held for so many seconds.
    """
    try:
        held = FileLock(path, timeout=seconds).acquire()
    except Timeout:
        raise UserError(
            f"{path} has been locked for {seconds / 60:g} minutes; if no process is at "
            "work there (its node has died), remove that file"
        ) from None
    with held:
        yield


@writes_file
def write_text(path: Path, text: str) -> None:
    """Write *text* so that the file is the old or the new one, whole.

    Raises:
        NotWritten: the disk does not take it.
    """
    temporary = path.with_name(path.name + ".tmp")
    flushed(temporary, text.encode())
    replace(temporary, path)


@writes_file
def flushed(path: Path, data: bytes) -> None:
    """Write *data*, flushed to the disk.

    Raises:
        NotWritten: the disk does not take it.
    """
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@writes_file
def append_text(path: Path, text: str) -> None:
    """Add text on lines of its own, flushed to the disk.

    A line that a kill has torn is ended first: it would swallow the next one.

    Raises:
        NotWritten: the disk does not take it; the file is as before.
    """
    before = path.stat().st_size if path.exists() else 0
    try:
        with open(path, "ab+") as file:
            if before:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        if not before:
            sync_folder(path.parent)
    except OSError:
        if path.exists():  # half a line would spoil the next one
            os.truncate(path, before)
        raise


def json_lines(path: Path, holding: str = "") -> tuple[list[dict[str, Any]], list[int]]:
    """Return the objects in a file of JSON lines, and the numbers of other lines.

    Empty without a file. Blank lines are neither, nor are those without the text
    *holding*.
    """
    objects, other = [], []
    data, part = path.read_bytes() if path.exists() else b"", holding.encode()
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip() or part not in line:
            continue
        try:
            value = json.loads(line)
        except ValueError:  # of the text or of its encoding
            value = None
        if isinstance(value, dict):
            objects.append(value)
        else:
            other.append(number)
    return objects, other
