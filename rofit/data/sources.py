"""An archive or a folder read in one way: files by path, and a fingerprint."""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rofit.data.archives import Parts, is_clutter, read_archive
from rofit.data.reason import in_one_line
from rofit.errors import UserError

# Below top/train/<class>/<image> nothing is expected: links in a circle end here.
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
        UserError: if nothing is there, it cannot be read, or is no whole archive.
    """
    _check_exists(path)
    if path.is_dir():
        entries = dict(_walk(path, ()))
        folders = {parts for parts, entry in entries.items() if entry.is_dir()}
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
        UserError: if nothing is there or it cannot be read.
    """
    _check_exists(path)
    sha = hashlib.sha256(_FORMAT.encode())
    try:
        if path.is_dir():
            for parts, entry in sorted(_walk(path, ()), key=lambda item: item[0]):
                stat = entry.stat()
                size = () if entry.is_dir() else (stat.st_size, stat.st_mtime_ns)
                sha.update(repr((parts, size)).encode())
        else:
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    sha.update(block)
    except OSError as error:
        raise _unreadable(path, error) from error
    return sha.hexdigest()[:16]


def _check_exists(path: Path) -> None:
    if not os.path.exists(path):
        raise UserError(
            f"expected an archive or a folder of images at {path}, found nothing; "
            "check the path"
        )


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"expected to read {path}, got {in_one_line(error)!r}; check its permissions "
        "or copy it again"
    )


def _source(
    files: set[Parts], folders: set[Parts], read: Callable[[Parts], bytes]
) -> Source:
    """Return the source with the folders that only their contents imply."""
    implied = {parts[:end] for parts in files | folders for end in range(1, len(parts))}
    return Source(tuple(sorted(files)), tuple(sorted(folders | implied)), read)


def _walk(folder: Path, above: Parts) -> Iterator[tuple[Parts, "os.DirEntry[str]"]]:
    """Yield every file and folder below *folder* with its path parts; follow links."""
    try:
        with os.scandir(folder) as entries:
            listed = [entry for entry in entries if not is_clutter((entry.name,))]
    except OSError as error:
        raise _unreadable(folder, error) from error
    for entry in listed:
        parts = (*above, entry.name)
        yield parts, entry
        if entry.is_dir() and len(parts) < _DEEPEST:
            yield from _walk(Path(entry.path), parts)


def _read(folder: Path, parts: Parts) -> bytes:
    try:
        return folder.joinpath(*parts).read_bytes()
    except OSError as error:
        raise _unreadable(folder.joinpath(*parts), error) from error
