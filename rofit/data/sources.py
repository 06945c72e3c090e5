"""An archive or a folder read in one way: files by path, and a fingerprint."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rofit.data.archives import Parts, is_clutter, read_archive
from rofit.data.limits import LARGEST_FILE, check_entries, check_file, check_source
from rofit.data.reason import in_one_line, printable
from rofit.errors import UserError

# Below top/train/<class>/<image> nothing is expected.
_DEEPEST = 5
# Part of every fingerprint: a change of how images are decoded must change it.
_FORMAT = "decoded-1"


@dataclass(frozen=True, eq=False)
class Source:
    """What an archive or a folder holds, hidden files and clutter left out.

    Attributes:
        files: path parts of every file, sorted.
        folders: path parts of every folder, empty ones included, sorted.
        read: bytes of one of the files.
    """

    files: tuple[Parts, ...]
    folders: tuple[Parts, ...]
    read: Callable[[Parts], bytes]


def open_source(path: Path) -> Source:
    """Return the files of the archive or the folder at *path*.

    Raises:
        UserError: if nothing is there, it cannot be read, or is no whole archive; if
            there is more than `rofit.data.limits` allow, anything but regular files and
            folders (links to them count as what they point to), or a link in a circle.
    """
    if stat.S_ISDIR(_check_kind(path).st_mode):
        entries = _walk(path)
        folders = {p for p, entry in entries.items() if stat.S_ISDIR(entry.st_mode)}
        return _source(set(entries) - folders, folders, lambda p: _read(path, p))
    try:
        files, listed = read_archive(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    return _source(set(files), listed, files.__getitem__)


def fingerprint(path: Path) -> str:
    """Return 16 hex digits that change when the archive or the folder at *path* does.

    SHA-256 over an archive's bytes; over paths, sizes and modification times for a
    folder, whose images need not be read for it.

    Raises:
        UserError: as `open_source`, but for what is inside of an archive.
    """
    sha = hashlib.sha256(_FORMAT.encode())
    status = _check_kind(path)
    if stat.S_ISDIR(status.st_mode):
        for parts, entry in sorted(_walk(path).items()):
            times = (entry.st_size, entry.st_mtime_ns)
            size = () if stat.S_ISDIR(entry.st_mode) else times
            sha.update(repr((parts, size)).encode())
    elif status.st_size:  # empty files of /proc may wait for ever
        try:
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    sha.update(block)
        except OSError as error:
            raise _unreadable(path, error) from error
    return sha.hexdigest()[:16]


def _check_kind(path: Path) -> os.stat_result:
    """Return what is at *path*, a folder or a file of a size that can be read."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise UserError(
            f"expected an archive or a folder of images at {printable(path)}, found "
            "nothing; check the path"
        ) from None
    except OSError as error:
        raise _unreadable(path, error) from error
    _check_regular(status, path)
    if stat.S_ISREG(status.st_mode):
        check_source(status.st_size, path)
    return status


def _check_regular(status: os.stat_result, path: Path) -> None:
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise UserError(
            f"expected a file or a folder at {printable(path)}, found a device, pipe "
            "or socket; remove it or check the path"
        )


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"expected to read {printable(path)}, got {in_one_line(error)!r}; check its "
        "permissions or copy it again"
    )


def _source(
    files: set[Parts], folders: set[Parts], read: Callable[[Parts], bytes]
) -> Source:
    """Return the source with the folders that only their contents imply."""
    implied = {parts[:end] for parts in files | folders for end in range(1, len(parts))}
    return Source(tuple(sorted(files)), tuple(sorted(folders | implied)), read)


def _walk(top: Path) -> dict[Parts, os.stat_result]:
    """Return every file and folder below *top* by its path parts; links are followed.

    Raises:
        UserError: as `open_source`.
    """
    entries: dict[Parts, os.stat_result] = {}
    # Each with itself and the folders above it, by which links in a circle are known.
    pending: list[tuple[Parts, frozenset[tuple[int, int]]]] = [
        ((), frozenset([_identity(os.stat(top))]))
    ]
    while pending:
        above, circle = pending.pop()
        for name, status in _listed(top.joinpath(*above)):
            parts = (*above, name)
            entries[parts] = status
            check_entries(len(entries), top)
            if not stat.S_ISDIR(status.st_mode):
                continue
            if _identity(status) in circle:
                raise UserError(
                    f"expected no links in a circle in {printable(top)}, found "
                    f"{printable('/'.join(parts))}, which leads to a folder above it; "
                    "remove it"
                )
            if len(parts) < _DEEPEST:
                pending.append((parts, circle | {_identity(status)}))
    return entries


def _listed(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the names in a folder, and what they or their links lead to."""
    try:
        names = [name for name in sorted(os.listdir(folder)) if not is_clutter((name,))]
    except OSError as error:
        raise _unreadable(folder, error) from error
    for name in names:
        try:
            status = os.stat(folder / name)
        except OSError as error:
            raise _unreadable(folder / name, error) from error
        _check_regular(status, folder / name)
        yield name, status


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _read(folder: Path, parts: Parts) -> bytes:
    try:
        with folder.joinpath(*parts).open("rb") as file:
            # Files of /proc say that they are empty; some wait for ever.
            if not (size := os.fstat(file.fileno()).st_size):
                return b""
            check_file(size, "/".join(parts), folder)
            return file.read(LARGEST_FILE)
    except OSError as error:
        raise _unreadable(folder.joinpath(*parts), error) from error
