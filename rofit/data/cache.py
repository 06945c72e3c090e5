"""Decoded class folders on disk, so that JPEGs are decoded once and not once a run.

One uncompressed npz a data set, named <name>-<digest>-<fingerprint of the source>: it
is looked up by name and either of the two.
"""

import json
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path

import numpy as np

from rofit.data.images import Dataset, Images
from rofit.data.reason import PARSER_ERRORS, in_one_line, printable
from rofit.errors import UserError
from rofit.writing import NotWritten, is_full, reason

ENDING = ".rofit.npz"
# A header may say that there are more pixels than memory.
_DAMAGE = (*PARSER_ERRORS, MemoryError)


@dataclass(frozen=True)
class CachedSet:
    """One decoded data set found on disk.

    Attributes:
        name: the data set's name.
        shown_as: what results print.
        digest: of its content, 12 hex digits.
        size: number and shape of its images, in words.
        path: the file.
    """

    name: str
    shown_as: str
    digest: str
    size: str
    path: Path


class DamagedCache(UserError):
    """Decoded images that are not what was written.

    Attributes:
        file: where they are.
        reason: what is wrong with them.
    """

    def __init__(self, file: Path, reason: str) -> None:
        self.file, self.reason = file, reason
        super().__init__(
            f"expected decoded images in {printable(file)}, got a damaged file "
            f"({reason}); delete it and pass --data PATH again"
        )


def cached(name: str, digest: str, cache: Path) -> Dataset | None:
    """Return the decoded data set of that name and digest under *cache*, None if none.

    Raises:
        DamagedCache: if a file is there, but damaged.
    """
    stem = f"{name}-{digest}"
    if os.path.basename(stem) != stem:
        return None  # It would lead out of the folder.
    dataset = _first_undamaged(f"{escape(stem)}-{'?' * 16}{ENDING}", cache)
    if isinstance(dataset, DamagedCache):
        raise dataset
    return dataset


def cached_source(
    name: str, fingerprint: str, cache: Path, say: Callable[[str], None]
) -> Dataset | None:
    """Return what was decoded of the source with *fingerprint*, None if not whole.

    Says in a sentence that a file is damaged: decoding the source again mends it.
    """
    # Twelve places for the digest: a star would also match names that begin like this.
    dataset = _first_undamaged(
        f"{escape(name)}-{'?' * 12}-{fingerprint}{ENDING}", cache
    )
    if isinstance(dataset, DamagedCache):
        say(
            f"the decoded images in {printable(dataset.file)} are damaged "
            f"({dataset.reason}) and made again"
        )
        return None
    return dataset


def list_cached(cache: Path) -> list[CachedSet]:
    """Return the decoded data sets under *cache* by name, damaged files left out.

    One data set that was decoded from two sources is listed once.
    """
    entries: dict[tuple[str, str], CachedSet] = {}
    for path in _files(f"*{ENDING}", cache):
        try:
            with _arrays(path) as arrays:
                metadata = json.loads(str(arrays["about"]))
            entry = CachedSet(
                name=metadata["name"],
                shown_as=metadata["shown_as"],
                digest=metadata["digest"],
                size=metadata["size"],
                path=path,
            )
        except _DAMAGE:
            continue
        entries.setdefault((entry.name, entry.digest), entry)
    return list(entries.values())


def store(dataset: Dataset, fingerprint: str, cache: Path) -> Path:
    """Write *dataset* under *cache* in one step and return the file.

    Raises:
        NotWritten: if the disk is full.
        UserError: if the folder cannot be written.
    """
    file = cache / f"{dataset.name}-{dataset.digest}-{fingerprint}{ENDING}"
    temporary = cache / f".{file.name}.{os.getpid()}.tmp"
    metadata = {
        "name": dataset.name,
        "shown_as": dataset.shown_as,
        "classes": dataset.classes,
        "digest": dataset.digest,
        "size": _size(dataset),
    }
    try:
        with temporary.open("wb") as output:
            np.savez(
                output,
                about=np.array(json.dumps(metadata)),
                train_pixels=dataset.train.pixels,
                train_labels=dataset.train.labels,
                test_pixels=dataset.test.pixels,
                test_labels=dataset.test.labels,
            )
        os.replace(temporary, file)
    except OSError as error:
        raise _unwritable(cache, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return file


def check_writable(cache: Path) -> None:
    """Make the folder *cache*; raise now rather than after decoding if it is closed.

    Raises:
        UserError: if the folder cannot be made or written.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache):
            pass
    except OSError as error:
        raise _unwritable(cache, error) from error


def read_cached(file: Path) -> Dataset:
    """Return the data set in *file*, checked against its digests and the file's name.

    The zip's CRC-32 holds for every byte of an array, ours (SHA-256) for the content.

    Raises:
        DamagedCache: if the file is damaged, or another's content is in it.
    """
    try:
        with _arrays(file) as arrays:
            metadata = json.loads(str(arrays["about"]))
            train, test = (
                Images(arrays[f"{split}_pixels"], arrays[f"{split}_labels"])
                for split in ("train", "test")
            )
        classes = tuple(metadata["classes"])
        dataset = Dataset(metadata["name"], metadata["shown_as"], classes, train, test)
        if dataset.digest != metadata["digest"]:
            raise ValueError(
                f"its digest is {dataset.digest}, not {metadata['digest']}"
            )
        if not file.name.startswith(f"{dataset.name}-{dataset.digest}-"):
            raise ValueError(f"it holds {dataset.name} of digest {dataset.digest}")
    except _DAMAGE as error:
        raise DamagedCache(file, in_one_line(error)) from error
    return dataset


@contextmanager
def _arrays(file: Path) -> "Iterator[np.lib.npyio.NpzFile]":
    """Give the arrays of an npz file; whatever NumPy would only warn of is raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Opened here because np.load leaves a damaged file open.
        with file.open("rb") as data, np.load(data, allow_pickle=False) as arrays:
            yield arrays


def _files(pattern: str, cache: Path) -> list[Path]:
    # Regular ones: a pipe would wait for ever.
    return [file for file in sorted(cache.glob(pattern)) if os.path.isfile(file)]


def _first_undamaged(pattern: str, cache: Path) -> Dataset | DamagedCache | None:
    """Return the first undamaged match, else what is wrong with one, else None."""
    damage = None
    for file in _files(pattern, cache):
        try:
            return read_cached(file)
        except DamagedCache as error:
            damage = error
    return damage


def _size(dataset: Dataset) -> str:
    height, width = dataset.image_size
    return (
        f"{len(dataset.train):,} + {len(dataset.test):,} images, "
        f"{dataset.channels}x{height}x{width}, {dataset.n_classes} classes"
    )


def _unwritable(cache: Path, error: OSError) -> Exception:
    if is_full(error):
        return NotWritten(
            f"the decoded images cannot be kept in {cache} ({reason(error)}); nothing "
            "of them is kept: the same command decodes them again"
        )
    return UserError(
        f"expected a folder for the decoded images at {cache}, got "
        f"{in_one_line(error)!r}; make it writable or choose another data folder"
    )
