"""Plain files: written whole or not at all, read line by line."""

import json
import os
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from rofit.writing import replace, sync_folder, writes_file


def is_locked(path: Path) -> bool:
    """Return whether another process holds the lock in a file."""
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


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
