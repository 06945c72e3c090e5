"""Files that a disk does not take: full, closed, or the folder is gone.

One sentence says which file and why; who knows what is kept adds it.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from rofit.errors import UserError

P = ParamSpec("P")
T = TypeVar("T")
_FULL = ("ENOSPC", "EDQUOT", "EFBIG", "EIO")  # of which Windows lacks some


class NotWritten(RuntimeError):
    """A file cannot be written: says which, why, and what is kept. Exit code 1."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the file *path* in what goes wrong with the disk, and leave no part of it.

    Raises:
        NotWritten: in place of an OSError.
    """
    try:
        yield
    except NotWritten:
        raise
    except (OSError, RuntimeError) as error:
        cause = _of_disk(error)
        if cause is None:
            raise
        for temporary in temporaries(path):
            with suppress(OSError):
                temporary.unlink()
        raise NotWritten(f"{path} cannot be written ({reason(cause)})") from error


def writes_file(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function that writes the first path among its arguments."""

    @wraps(function)
    def in_one_sentence(*args: P.args, **kwargs: P.kwargs) -> T:
        with writing(next(value for value in args if isinstance(value, Path))):
            return function(*args, **kwargs)

    return in_one_sentence


def replace(temporary: Path, path: Path) -> None:
    """Move a flushed file to *path*, and flush the folder: a power cut loses neither.

    Windows flushes no folders.
    """
    os.replace(temporary, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush which files a folder has to the disk."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unwritable(what: str, error: OSError, flag: str) -> Exception:
    """Return the error for a folder in which nothing can be begun.

    NotWritten where the disk is full or broken, else UserError: another folder, named
    with *flag*, would do.
    """
    said = f"{what} cannot be written ({reason(error)})"
    if is_full(error):
        return NotWritten(said)
    return UserError(f"{said}; choose another with {flag}")


def is_full(error: OSError) -> bool:
    """Return whether the disk is full or broken."""
    return errno.errorcode.get(error.errno or 0) in _FULL


def reason(error: OSError) -> str:
    """Return what the system says, without the words of the library in between."""
    return os.strerror(error.errno) if error.errno else str(error).split("\n")[0]


def _of_disk(error: BaseException | None) -> OSError | None:
    """Return the OSError that began it: torch covers it by a RuntimeError."""
    while error is not None and not isinstance(error, OSError):
        error = error.__context__
    return error


def temporaries(path: Path) -> tuple[Path, ...]:
    """Return the names under which a file may be written before it is renamed."""
    return (
        path.with_suffix(".tmp"),
        path.with_name(f"{path.name}.tmp"),
        path.with_suffix(f".{os.getpid()}.tmp"),
    )
