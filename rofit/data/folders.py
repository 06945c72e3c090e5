"""A data set out of class folders: train/<class>/<image> and test/<class>/<image>.

The way in for data that no download offers: any archive or folder of small images.
"""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rofit.data.archives import ENDINGS, Parts
from rofit.data.cache import cached, cached_source, check_writable, list_cached, store
from rofit.data.datasets import DATASETS, known_in
from rofit.data.decode import Progress, decode
from rofit.data.images import Dataset, Images, Labels
from rofit.data.layout import find_layout
from rofit.data.reason import in_one_line, printable
from rofit.data.sources import fingerprint, open_source
from rofit.errors import UserError
from rofit.names import LONGEST_NAME

__all__ = [
    "ClassFolders",
    "cached",
    "list_cached",
    "open_all",
    "open_data",
    "read_class_folders",
]

# Names of decoded images and of runs begin with it; a file's may have 255 bytes.


class ClassFolders(NamedTuple):
    """A data set out of class folders.

    Attributes:
        name: that of the archive or folder, as runs have it.
        digest: of its content.
        shown_as: what results call it.
        original: the data set that it is a copy of; empty: as its name begins.
    """

    name: str
    digest: str
    shown_as: str
    original: str = ""

    def is_of(self, dataset: str) -> bool:
        """Return whether it is a copy of *dataset*: ``cifar100-png`` of ``cifar100``.

        Examples:
            >>> ClassFolders("cifar10-jpeg", "", "").is_of("cifar10")
            True
        """
        if self.original:
            return self.original == dataset
        return f"{self.name}-".startswith(f"{dataset}-")


def open_all(
    texts: Iterable[str], *, cache: Path, say: Callable[[str], None]
) -> tuple[Path, tuple[ClassFolders, ...]]:
    """Return the folder of data sets and the class folders that ``--data`` names.

    Args:
        texts: ``PATH``, or ``NAME=PATH`` for a copy of the data set NAME.
        cache: the folder of data sets where decoded images are kept.
        say: called with a sentence about what is not as one would expect.

    Raises:
        UserError: as `open_data`; no path; a folder as torchvision lays it out beside
            others.
    """
    root, opened = cache, []
    for text in texts:
        original, path = _named_path(text)
        if not path:
            raise UserError("--data expects a path, got nothing")
        root, folders = open_data(Path(path), cache=cache, say=say)
        opened.append(folders and folders._replace(original=original))
    copies = tuple(copy for copy in opened if copy)
    if len(opened) > 1 and len(copies) < len(opened):
        raise UserError(
            "--data given several times takes archives and class folders; of a folder "
            "as torchvision lays it out there can be only one"
        )
    names = [copy.name for copy in copies]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"--data has two data sets called {name}; rename one")
    return root, copies


def open_data(
    path: Path, *, cache: Path, say: Callable[[str], None]
) -> tuple[Path, ClassFolders | None]:
    """Return the folder of data sets that *path* means, and the class folders in it.

    Args:
        path: a folder as torchvision lays it out, or class folders, which are decoded.
        cache: the folder of data sets where decoded images are kept.
        say: called with a sentence about what is not as one would expect.

    Raises:
        UserError: as `read_class_folders`.
    """
    path = _expanded(path)
    if known_in(path):
        return path, None
    dataset = read_class_folders(path, cache=cache, say=say)
    return cache, ClassFolders(dataset.name, dataset.digest, dataset.shown_as)


def read_class_folders(
    path: Path,
    *,
    cache: Path,
    say: Callable[[str], None] = lambda sentence: None,
    progress: Progress | None = None,
) -> Dataset:
    """Return the images of an archive or a folder of class folders, decoded once.

    Classes are sorted by name, the images of a class by file name, so the order in an
    archive does not matter. One channel if every image is greyscale, else RGB. Without
    a test folder, val (or valid, validation) beside train is the test part, as in
    ImageNet; without a pair a fixed fifth of every class is, and `shown_as` says so.
    Hidden files are passed over.

    Args:
        path: a tar (plain, gz, bz2, xz) or zip archive, or a folder.
        cache: the folder where decoded images are kept.
        say: called with a sentence where val is the test part, and where the decoded
            images are damaged and made again.
        progress: called with the numbers of images decoded and to decode.

    Raises:
        UserError: if the source or an image cannot be read, holds more than
            `rofit.data.limits` allow or memory does, the layout is another one, image
            sizes differ, the cache cannot be written, or the name is none that a data
            set can have.
    """
    path, cache = _expanded(path), _expanded(cache)
    name = _name(path)
    source_id = fingerprint(path)
    if (decoded := cached_source(name, source_id, cache, say)) is not None:
        return decoded
    try:
        dataset = _decoded(name, path, cache, say, progress)
    except MemoryError:
        raise UserError(
            f"expected images that fit into memory at {printable(path)}, got more; "
            "resize them or take fewer"
        ) from None
    store(dataset, source_id, cache)
    return dataset


def _decoded(
    name: str,
    path: Path,
    cache: Path,
    say: Callable[[str], None],
    progress: Progress | None,
) -> Dataset:
    source = open_source(path)
    layout = find_layout(source, path)
    check_writable(cache)
    files = [
        file for split in layout.splits() for paths in split.values() for file in paths
    ]
    pixels = decode(source, files, path, progress)
    train, test = (_labels(split) for split in layout.splits())
    instead = layout.note.removesuffix(" as test")
    if instead != layout.note:
        say(
            f"{printable(path)} has no test folder: its folder {instead} is the test "
            "part; validation images are taken from train"
        )
    return Dataset(
        name=name,
        shown_as=_shown_as(name, layout.note),
        classes=tuple(layout.train),
        train=Images(pixels[: len(train)], train),
        test=Images(pixels[len(train) :], test),
    )


def _named_path(text: str) -> tuple[str, str]:
    """Return NAME and PATH of ``NAME=PATH``; no name where *text* itself is a path.

    Examples:
        >>> _named_path("cifar100=images/a=b.tar"), _named_path("images/a=b.tar")
        (('cifar100', 'images/a=b.tar'), ('', 'images/a=b.tar'))
    """
    name, sign, path = text.partition("=")
    if sign and re.fullmatch(r"[\w-]+", name) and not os.path.exists(text):
        return name, path
    return "", text


def _name(path: Path) -> str:
    """Return the name of the data set: the file's, fit to stand in a run id.

    Raises:
        UserError: if there is none, or it is too long for names of other files.
    """
    file = os.path.basename(os.path.abspath(path)).lower()
    ending = next((end for end in ENDINGS if file.endswith(end)), "")
    name = re.sub(r"[^\w.-]+", "_", file.removesuffix(ending))
    if not name.strip(".") or len(name.encode()) > LONGEST_NAME:
        raise UserError(
            f"expected a name of 1 to {LONGEST_NAME} bytes for the images at "
            f"{printable(path)}, got {len(name.encode())}; rename it"
        )
    return name


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise UserError(
            f"expected a path, got {printable(path)} ({in_one_line(error)}); write it "
            "in full"
        ) from error


def _shown_as(name: str, note: str) -> str:
    head, _, rest = name.partition("-")
    note = note and f", {note}"
    if rest and head in DATASETS:
        return f"{head} ({rest}{note})"
    return f"{name} (class folders{note})"


def _labels(split: dict[str, list[Parts]]) -> Labels:
    counts = [len(files) for files in split.values()]
    return np.repeat(np.arange(len(counts), dtype=np.int64), counts)
