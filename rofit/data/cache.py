"""Decoded class folders on disk, so that JPEGs are decoded once and not once a run.

One uncompressed npz a data set, named <name>-<digest>-<fingerprint of the source>: it
is looked up by name and either of the two.
"""

import json
import os
import tempfile
import zipfile
from dataclasses import dataclass
from glob import escape
from pathlib import Path

import numpy as np

from rofit.data.images import Dataset, Images
from rofit.data.reason import in_one_line
from rofit.errors import UserError
from rofit.writing import NotWritten, is_full, reason

ENDING = ".rofit.npz"
_DAMAGE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile)


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


def cached(name: str, digest: str, cache: Path) -> Dataset | None:
    """Return the decoded data set of that name and digest under *cache*, None if none.

    Raises:
        UserError: if a file is there, but damaged.
    """
    dataset = _first_undamaged(
        f"{escape(name)}-{escape(digest)}-{'?' * 16}{ENDING}", cache
    )
    if isinstance(dataset, UserError):
        raise dataset
    return dataset


def cached_source(name: str, fingerprint: str, cache: Path) -> Dataset | None:
    """Return what was decoded of the source with *fingerprint*, None if not whole."""
    # Twelve places for the digest: a star would also match names that begin like this.
    dataset = _first_undamaged(
        f"{escape(name)}-{'?' * 12}-{fingerprint}{ENDING}", cache
    )
    # The caller has the source: decoding it again mends a damaged file.
    return None if isinstance(dataset, UserError) else dataset


def list_cached(cache: Path) -> list[CachedSet]:
    """Return the decoded data sets under *cache* by name, damaged files left out.

    One data set that was decoded from two sources is listed once.
    """
    entries: dict[tuple[str, str], CachedSet] = {}
    for path in sorted(cache.glob(f"*{ENDING}")):
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
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
    """Return the data set in *file*, its digest checked against its content.

    Raises:
        UserError: if the file is damaged.
    """
    try:
        # Opened here because np.load leaves a damaged file open.
        with file.open("rb") as data, np.load(data, allow_pickle=False) as arrays:
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
    except _DAMAGE as error:
        raise UserError(
            f"expected decoded images in {file}, got a damaged file "
            f"({in_one_line(error)}); delete it and pass --data PATH again"
        ) from error
    return dataset


def _first_undamaged(pattern: str, cache: Path) -> Dataset | UserError | None:
    """Return the first undamaged match, else what is wrong with one, else None."""
    damage = None
    for file in sorted(cache.glob(pattern)):
        try:
            return read_cached(file)
        except UserError as error:
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
