"""Which files of a source are images of which class, in which part."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rofit.data.archives import Parts
from rofit.data.sources import Source
from rofit.errors import UserError

# The files of each class, both sorted by name.
Classes = dict[str, list[Parts]]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
_WANTED = "train/<class>/<image> and test/<class>/<image>, or <class>/<image>,"


@dataclass(frozen=True, eq=False)
class Layout:
    """The images of both parts, the same classes in each.

    Attributes:
        train: files of the training part by class.
        test: files of the test part by class.
        own_split: True if the source has no such parts and rofit drew the test images.
    """

    train: Classes
    test: Classes
    own_split: bool

    def parts(self) -> tuple[Classes, Classes]:
        """Return the training and the test part."""
        return self.train, self.test


def find_layout(source: Source, path: Path) -> Layout:
    """Return the images of *source* by part and class, below its one top folder if any.

    Without a pair of train and test folders a fixed fifth of every class, at least one
    image, becomes the test part.

    Args:
        source: the files.
        path: where they are, for messages.

    Raises:
        UserError: if an image has no class, a class has no images in one of the parts,
            a class folder holds something else, or there are fewer than two classes.
    """
    images: dict[Parts, list[Parts]] = defaultdict(list)
    for file in source.files:
        images[file[:-1]].append(file)
    below: dict[Parts, list[Parts]] = defaultdict(list)
    for folder in source.folders:
        below[folder[:-1]].append(folder)
    top: Parts = ()
    while len(below[top]) == 1 and below[below[top][0]]:
        top = below[top][0]
    pair = [(*top, "train"), (*top, "test")]
    bases = pair if set(pair) <= set(below[top]) else [top]
    parts = {
        base: {folder[-1]: images[folder] for folder in below[base]} for base in bases
    }
    _check_files(parts, source, path)
    _check_classes(parts, path)
    if len(bases) == 2:
        return Layout(parts[bases[0]], parts[bases[1]], own_split=False)
    return _split(parts[top], path)


def _check_files(parts: dict[Parts, Classes], source: Source, path: Path) -> None:
    """Raise UserError unless images lie in class folders, and nothing else does."""
    listed = {
        file for part in parts.values() for files in part.values() for file in files
    }
    stray = [file for file in source.files if _is_image(file) and file not in listed]
    if stray:
        raise UserError(
            f"expected {_WANTED} in {path}, found {'/'.join(stray[0])}; move or remove "
            "it"
        )
    if not listed:
        raise UserError(
            f"expected {_WANTED} in {path}, found no images; check the path"
        )
    for file in sorted(listed):
        if not _is_image(file):
            raise UserError(
                f"expected only images ({', '.join(_SUFFIXES)}) in the class folders "
                f"of {path}, found {'/'.join(file)}; remove it or convert it to png"
            )


def _check_classes(parts: dict[Parts, Classes], path: Path) -> None:
    """Raise UserError unless every part has images of two classes, the same ones."""
    names = sorted({name for part in parts.values() for name in part})
    for base, part in parts.items():
        for name in names:
            if not part.get(name):
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
