"""Data sets by name: loading them, and saying where each is looked for.

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

__all__ = ["DATASETS", "Row", "describe", "holds_known", "load"]


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
        if any(found.name == name for found in list_cached(root)):
            raise UserError(
                f"expected a digest with {name!r}, which was decoded from class "
                "folders, got none; pass --data PATH with its archive or folder"
            )
        raise unknown("data set", name, DATASETS)
    known = DATASETS[name]
    if known.loader is None:
        return load_digits()
    return load_published(name, known, root=root, download=download)


def describe(root: Path) -> list[Row]:
    """Return a row for every registered data set and all decoded ones under *root*.

    Looks for files by name only; their checksums are compared when they are loaded.
    """
    root = root.expanduser()
    rows = []
    for name, known in DATASETS.items():
        how = f"rofit data {name} --fetch, or put {known.to_put} into {root}"
        where = str((root / known.files[0]).parent) if known.files else "scikit-learn"
        rows.append(
            Row(
                name=name,
                shown_as=name,
                size=known.size,
                where=where,
                present=known.is_present(root),
                how=how if known.files else "comes with scikit-learn",
            )
        )
    for found in list_cached(root):
        rows.append(
            Row(
                name=found.name,
                shown_as=found.shown_as,
                size=found.size,
                where=str(found.path),
                present=True,
                how=f"decoded from --data PATH, digest {found.digest}",
            )
        )
    return rows


def holds_known(folder: Path) -> bool:
    """Return whether *folder* holds a data set as torchvision lays it out."""
    known = [each for each in DATASETS.values() if each.files]
    return any(each.is_present(folder) for each in known)


def _load_decoded(name: str, digest: str, root: Path) -> Dataset:
    dataset = cached(name, digest, root)
    if dataset is None:
        others = [entry.digest for entry in list_cached(root) if entry.name == name]
        found = f"only {', '.join(others)}" if others else "none"
        raise UserError(
            f"expected the decoded images of {name} with digest {digest} under {root}, "
            f"found {found}; pass --data PATH again, with the archive or folder that "
            "they came from"
        )
    return dataset
