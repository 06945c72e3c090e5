"""Which files of a source are images of which class, in which split."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rofit.data.archives import Parts
from rofit.data.sources import Source
from rofit.errors import UserError

# The files of each class, both sorted by name.
Classes = dict[str, list[Parts]]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
_EXPECTED = "train/<class>/<image> and test/<class>/<image>, or <class>/<image>,"


@dataclass(frozen=True, eq=False)
class Layout:
    """The images of both splits, the same classes in each.

    Attributes:
        train: files of the training split by class.
        test: files of the test split by class.
        own_split: True if the source has no such splits and rofit drew the test images.
    """

    train: Classes
    test: Classes
    own_split: bool

    def splits(self) -> tuple[Classes, Classes]:
        """Return the training and the test split."""
        return self.train, self.test


def find_layout(source: Source, path: Path) -> Layout:
    """Return the images by split and class, below the source's one top folder if any.

    Without a pair of train and test folders a fixed fifth of every class, at least one
    image, becomes the test split.

    Args:
        source: the files.
        path: where they are, for messages.

    Raises:
        UserError: if an image has no class, a class has no images in one of the splits,
            a class folder holds something else, or there are fewer than two classes.
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
    pair = [(*top, "train"), (*top, "test")]
    bases = pair if set(pair) <= set(subfolders[top]) else [top]
    splits = {
        base: {folder[-1]: images[folder] for folder in subfolders[base]}
        for base in bases
    }
    _check_files(splits, source, path)
    _check_classes(splits, path)
    if len(bases) == 2:
        return Layout(splits[bases[0]], splits[bases[1]], own_split=False)
    return _split(splits[top], path)


def _check_files(splits: dict[Parts, Classes], source: Source, path: Path) -> None:
    """Raise UserError unless images lie in class folders, and nothing else does."""
    listed = {
        file for split in splits.values() for files in split.values() for file in files
    }
    stray = [file for file in source.files if _is_image(file) and file not in listed]
    if stray:
        raise UserError(
            f"expected {_EXPECTED} in {path}, found {'/'.join(stray[0])}; move or "
            "remove it"
        )
    if not listed:
        raise UserError(
            f"expected {_EXPECTED} in {path}, found no images; check the path"
        )
    for file in sorted(listed):
        if not _is_image(file):
            raise UserError(
                f"expected only images ({', '.join(_SUFFIXES)}) in the class folders "
                f"of {path}, found {'/'.join(file)}; remove it or convert it to png"
            )


def _check_classes(splits: dict[Parts, Classes], path: Path) -> None:
    """Raise UserError unless every split has images of two classes, the same ones."""
    names = sorted({name for split in splits.values() for name in split})
    for base, split in splits.items():
        for name in names:
            if not split.get(name):
                raise UserError(
                    f"expected images of every class in {path}, found none in "
                    f"{'/'.join((*base, name))}; add some or remove the class"
                )
    if len(names) < 2:
        raise UserError(
            f"expected at least 2 classes in {path}, found only {names[0]!r}; give "
            "every class a folder of its own"
        )


def _split(classes: Classes, path: Path) -> Layout:
    # Imported here because rofit.seeding imports torch.
    from rofit.seeding import numpy_rng

    train, test = {}, {}
    for name, files in classes.items():
        if len(files) < 2:
            raise UserError(
                f"expected at least 2 images a class in {path} to split off a test "
                f"part, found {len(files)} in {name}; add some or make a test folder"
            )
        order = numpy_rng(0, "class folders", name).permutation(len(files))
        n_test = max(1, (len(files) + 2) // 5)
        test[name] = [files[i] for i in sorted(order[:n_test])]
        train[name] = [files[i] for i in sorted(order[n_test:])]
    return Layout(train, test, own_split=True)


def _is_image(file: Parts) -> bool:
    return PurePosixPath(file[-1]).suffix.lower() in _SUFFIXES
