"""Data sets by name: loading them, and listing where their files are expected.

Importing this does not import torch, so that listing what is there stays quick.
"""

from dataclasses import dataclass
from pathlib import Path

from rofit.data.cache import cached, list_cached
from rofit.data.digits import load_digits
from rofit.data.images import Dataset
from rofit.data.known import DATASETS
from rofit.data.published import load_published
from rofit.errors import UserError, unknown
from rofit.names import check_name

__all__ = ["DATASETS", "Row", "describe", "known_in", "load"]


@dataclass(frozen=True)
class Row:
    """One line of `rofit data`.

    Attributes:
        name: what the user types.
        shown_as: what results print.
        size: number and shape of the images, in words.
        where: where it is looked for.
        present: whether it is there.
        how: how to get it, or to use it.
    """

    name: str
    shown_as: str
    size: str
    where: str
    present: bool
    how: str


def load(name: str, *, root: Path, digest: str = "", download: bool = True) -> Dataset:
    """Return a data set by name, or decoded class folders by name and digest.

    Args:
        name: a key of DATASETS; with a digest, the name of decoded class folders.
        root: the data folder: torchvision's files and decoded class folders.
        digest: `Dataset.digest` of class folders that were decoded under *root* before.
        download: fetch what is not there; files that are there are never fetched again
            unless their checksum is wrong.

    Raises:
        UserError: if the name is unknown, or the data is not there, is damaged or
            cannot be fetched. No other data set ever takes its place.
    """
    root = root.expanduser()
    if digest:
        return _load_decoded(name, digest, root)
    if name not in DATASETS:
        if any(entry.name == name for entry in list_cached(root)):
            raise UserError(
                f"expected a digest with {name!r}, which was decoded from class "
                "folders, got none; pass --data PATH with its archive or folder"
            )
        raise unknown("data set", name, DATASETS)
    registered = DATASETS[name]
    if registered.loader is None:
        return load_digits()
    return load_published(name, registered, root=root, download=download)


def describe(root: Path) -> list[Row]:
    """Return a row for every registered data set and all decoded ones under *root*.

    Looks for files by name only; their checksums are compared when they are loaded.
    """
    root = root.expanduser()
    rows = []
    for name, registered in DATASETS.items():
        instructions = (
            f"rofit data {name} --fetch, or put {registered.manual_files} into {root}"
        )
        where = (
            str((root / registered.files[0]).parent)
            if registered.files
            else "scikit-learn"
        )
        rows.append(
            Row(
                name=name,
                shown_as=name,
                size=registered.size,
                where=where,
                present=registered.is_present(root),
                how=instructions if registered.files else "comes with scikit-learn",
            )
        )
    for entry in list_cached(root):
        rows.append(
            Row(
                name=entry.name,
                shown_as=entry.shown_as,
                size=entry.size,
                where=str(entry.path),
                present=True,
                how=f"decoded from --data PATH, digest {entry.digest}",
            )
        )
    return rows


def known_in(folder: Path) -> tuple[str, ...]:
    """Return the data sets that are in *folder* as torchvision lays them out."""
    return tuple(
        name
        for name, registered in DATASETS.items()
        if registered.files and registered.is_present(folder)
    )


def _load_decoded(name: str, digest: str, root: Path) -> Dataset:
    check_name("the data set", name)
    check_name("its digest", digest)
    dataset = cached(name, digest, root)
    if dataset is None:
        digests = [entry.digest for entry in list_cached(root) if entry.name == name]
        available = f"only {', '.join(digests)}" if digests else "none"
        raise UserError(
            f"expected the decoded images of {name} with digest {digest} under {root}, "
            f"found {available}; pass --data PATH again, with the archive or folder "
            "that they came from"
        )
    return dataset
