"""Which files of a source are images of which class, in which split."""

import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rofit.data.archives import Parts
from rofit.data.reason import printable
from rofit.data.sources import Source
from rofit.errors import UserError

# The files of each class, both sorted by name.
Classes = dict[str, list[Parts]]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
# What a test part may be called as well, ImageNet's name first.
_INSTEAD = ("val", "valid", "validation")
_EXPECTED = "train/<class>/<image> and test/<class>/<image>, or <class>/<image>,"


@dataclass(frozen=True, eq=False)
class Layout:
    """The images of both splits, the same classes in each.

    Attributes:
        train: files of the training split by class.
        test: files of the test split by class.
        note: where the test split is from, in words; empty if from a test folder.
    """

    train: Classes
    test: Classes
    note: str

    def splits(self) -> tuple[Classes, Classes]:
        """Return the training and the test split."""
        return self.train, self.test


def find_layout(source: Source, path: Path) -> Layout:
    """Return the images by split and class, below the source's one top folder if any.

    Without a test folder, val (or valid, validation) beside train is the test split, as
    users of ImageNet have it, whose test labels nobody has. Without a pair a fixed
    fifth of every class, at least one image, becomes the test split.

    Args:
        source: the files.
        path: where they are, for messages.

    Raises:
        UserError: if an image has no class, a class has no images in one of the splits,
            a class folder holds something else, there are fewer than two classes, or
            the name of one is no text.
    """
    images: dict[Parts, list[Parts]] = defaultdict(list)
    for file in source.files:
        images[file[:-1]].append(file)
    subfolders: dict[Parts, list[Parts]] = defaultdict(list)
    for folder in source.folders:
        subfolders[folder[:-1]].append(folder)
    top: Parts = ()
    while len(subfolders[top]) == 1 and subfolders[subfolders[top][0]]:
        top = subfolders[top][0]
    bases = _pair(top, subfolders[top]) or [top]
    splits = {
        base: {folder[-1]: images[folder] for folder in subfolders[base]}
        for base in bases
    }
    _check_files(splits, source, path)
    _check_classes(splits, path)
    if len(bases) == 2:
        train, test = bases
        note = "" if test[-1] == "test" else f"{test[-1]} as test"
        return Layout(splits[train], splits[test], note)
    return _split(splits[top], path)


def _pair(top: Parts, folders: list[Parts]) -> list[Parts]:
    """Return the folders of the training and the test split, empty without both."""
    names = {folder[-1] for folder in folders}
    instead = sorted(names.intersection(_INSTEAD))
    test = "test" if "test" in names else instead[0] if len(instead) == 1 else ""
    return [(*top, "train"), (*top, test)] if "train" in names and test else []


def _check_files(splits: dict[Parts, Classes], source: Source, path: Path) -> None:
    """Raise UserError unless images lie in class folders, and nothing else does."""
    listed = {
        file for split in splits.values() for files in split.values() for file in files
    }
    stray = [file for file in source.files if _is_image(file) and file not in listed]
    if stray:
        raise UserError(
            f"expected {_EXPECTED} in {printable(path)}, found {_name(stray[0])}; move "
            "or remove it"
        )
    if not listed:
        raise UserError(
            f"expected {_EXPECTED} in {printable(path)}, found no images"
            f"{_instead(source)}; check the path"
        )
    for file in sorted(listed):
        if not _is_image(file):
            raise UserError(
                f"expected only images ({', '.join(_SUFFIXES)}) in the class folders "
                f"of {printable(path)}, found {_name(file)}; remove it or convert it "
                "to png"
            )


def _check_classes(splits: dict[Parts, Classes], path: Path) -> None:
    """Raise UserError unless every split has images of two classes, the same ones."""
    names = sorted({name for split in splits.values() for name in split})
    for base, split in splits.items():
        for name in names:
            if not split.get(name):
                raise UserError(
                    f"expected images of every class in {printable(path)}, found none "
                    f"in {_name((*base, name))}; add some or remove the class"
                )
    if len(names) < 2:
        raise UserError(
            f"expected at least 2 classes in {printable(path)}, found only "
            f"'{printable(names[0])}'; give every class a folder of its own"
        )
    for name in names:
        # Control characters, and surrogates: bytes that are not UTF-8 come as these.
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
            raise UserError(
                f"expected names of classes that are text in {printable(path)}, found "
                f"{printable(name)}; rename that folder"
            )


def _split(classes: Classes, path: Path) -> Layout:
    # Imported here because rofit.seeding imports torch.
    from rofit.seeding import numpy_rng

    train, test = {}, {}
    for name, files in classes.items():
        if len(files) < 2:
            raise UserError(
                f"expected at least 2 images a class in {printable(path)} to split off "
                f"a test part, found {len(files)} in {printable(name)}; add some or "
                "make a test folder"
            )
        order = numpy_rng(0, "class folders", name).permutation(len(files))
        n_test = max(1, (len(files) + 2) // 5)
        test[name] = [files[i] for i in sorted(order[:n_test])]
        train[name] = [files[i] for i in sorted(order[n_test:])]
    return Layout(train, test, "own 80/20 split")


def _is_image(file: Parts) -> bool:
    return PurePosixPath(file[-1]).suffix.lower() in _SUFFIXES


def _name(parts: Parts) -> str:
    return printable("/".join(parts))


def _instead(source: Source) -> str:
    """Return what else there is: an archive inside of another, for instance."""
    return f", only others ({_name(source.files[0])})" if source.files else ""
