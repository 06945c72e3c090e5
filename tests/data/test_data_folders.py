"""Class folders: what is read out of archives and folders, decoded only once."""

import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rofit.data.folders import read_class_folders
from rofit.errors import UserError

Files = dict[str, bytes]


def _png(value: int, mode: str = "RGB", kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (4, 3), value if mode in "L1" else (value,) * len(mode)).save(
        file, kind, **({"lossless": True} if kind == "WEBP" else {})
    )
    return file.getvalue()


def _toy(mode: str = "RGB") -> Files:
    """Two classes, 3 + 1 and 2 + 2 images, every image of one value of its own."""
    return {
        "train/dog/b.png": _png(11, mode),
        "train/dog/c.png": _png(12, mode),
        "train/dog/a.png": _png(10, mode),
        "train/cat/1.png": _png(1, mode),
        "train/cat/2.png": _png(2, mode),
        "test/cat/1.png": _png(3, mode),
        "test/cat/2.png": _png(4, mode),
        "test/dog/1.png": _png(13, mode),
    }


def _tar(path: Path, files: Files, kind: str = "") -> Path:
    with tarfile.open(path, f"w:{kind}") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def _zip(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return path


def _folder(path: Path, files: Files) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


WRITERS: dict[str, Callable[[Path, Files], Path]] = {
    "toy.tar": _tar,
    "toy.tar.gz": lambda path, files: _tar(path, files, "gz"),
    "toy.tar.xz": lambda path, files: _tar(path, files, "xz"),
    "Toy.TAR.BZ2": lambda path, files: _tar(path, files, "bz2"),
    "toy.tgz": lambda path, files: _tar(path, files, "gz"),
    "toy.zip": _zip,
    "toy": _folder,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_source_gives_the_same_data_set(tmp_path, name):
    got = read_class_folders(
        WRITERS[name](tmp_path / name, _toy()), cache=tmp_path / "c"
    )
    assert (got.name, got.shown_as) == ("toy", "toy (class folders)")
    assert got.classes == ("cat", "dog")
    assert got.train.labels.tolist() == [0, 0, 1, 1, 1]
    assert got.train.pixels[:, 0, 0, 0].tolist() == [1, 2, 10, 11, 12]
    assert got.test.labels.tolist() == [0, 0, 1]
    assert got.test.pixels[:, 2, 2, 3].tolist() == [3, 4, 13]
    assert got.train.pixels.shape == (5, 3, 3, 4)


def test_colours_and_places_of_pixels_are_kept(tmp_path):
    pixels = np.arange(36, dtype=np.uint8).reshape(3, 4, 3) * 7
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    files = _toy() | {"train/cat/1.png": file.getvalue()}
    got = read_class_folders(_zip(tmp_path / "toy.zip", files), cache=tmp_path)
    np.testing.assert_array_equal(got.train.pixels[0], pixels.transpose(2, 0, 1))


def test_order_within_the_archive_does_not_matter(tmp_path):
    forth = _zip(tmp_path / "forth.zip", _toy())
    back = _tar(tmp_path / "back.tar", dict(reversed(_toy().items())))
    digests = [read_class_folders(p, cache=tmp_path).digest for p in (forth, back)]
    assert digests[0] == digests[1]


def test_second_reading_decodes_nothing(tmp_path, monkeypatch):
    path = _zip(tmp_path / "toy.zip", _toy())
    calls: list[tuple[int, int]] = []
    first = read_class_folders(
        path, cache=tmp_path / "cache", progress=lambda *counts: calls.append(counts)
    )
    assert calls == [(8, 8)]
    monkeypatch.setattr(Image, "open", None)
    second = read_class_folders(path, cache=tmp_path / "cache")
    assert (second.digest, second.shown_as) == (first.digest, first.shown_as)
    np.testing.assert_array_equal(second.test.pixels, first.test.pixels)
    assert len(list((tmp_path / "cache").iterdir())) == 1, "no temporary file is left"


def test_changed_source_is_decoded_again(tmp_path):
    folder = _folder(tmp_path / "toy", _toy())
    before = read_class_folders(folder, cache=tmp_path / "cache")
    (folder / "train/cat/1.png").write_bytes(_png(200))
    os.utime(folder / "train/cat/1.png", ns=(1, 1))
    after = read_class_folders(folder, cache=tmp_path / "cache")
    assert after.train.pixels[0, 0, 0, 0] == 200
    assert after.digest != before.digest


def test_grey_images_have_one_channel_if_all_are_grey(tmp_path):
    grey = _zip(tmp_path / "grey.zip", _toy("L"))
    assert read_class_folders(grey, cache=tmp_path).train.pixels.shape == (5, 1, 3, 4)
    mixed = _zip(tmp_path / "mixed.zip", _toy("L") | {"test/dog/1.png": _png(9)})
    got = read_class_folders(mixed, cache=tmp_path)
    assert got.channels == 3
    assert got.train.pixels[0, :, 0, 0].tolist() == [1, 1, 1]


def test_the_common_kinds_of_image_are_read(tmp_path):
    files = {
        f"{split}/{label}/{kind}.{kind.lower()}": _png(0, kind=kind)
        for split in ("train", "test")
        for label in ("a", "b")
        for kind in ("PNG", "JPEG", "BMP", "WEBP")
    }
    files["train/a/x.JPG"] = _png(0, kind="JPEG")
    got = read_class_folders(_zip(tmp_path / "toy.zip", files), cache=tmp_path)
    assert (len(got.train), len(got.test)) == (9, 8)
    assert not got.train.pixels.any()


@pytest.mark.parametrize("top", ["cifar/", "./", "a/b/", "/"])
def test_top_folder_dots_and_slashes_are_looked_through(tmp_path, top):
    files = {top + name: data for name, data in _toy().items()}
    files[f"{top}README.md"] = b"not an image, and in no class folder"
    got = read_class_folders(_tar(tmp_path / "toy.tar", files), cache=tmp_path)
    assert len(got.train) == 5


def test_hidden_files_and_clutter_are_passed_over(tmp_path):
    clutter = (
        ".DS_Store",
        "train/.DS_Store",
        "train/cat/._1.png",
        "train/cat/Thumbs.db",
        "__MACOSX/train/cat/._1.png",
        "train/.hidden/1.png",
    )
    files = _toy() | dict.fromkeys(clutter, b"clutter")
    for writer, name in ((_zip, "a.zip"), (_tar, "b.tar"), (_folder, "c")):
        got = read_class_folders(writer(tmp_path / name, files), cache=tmp_path / "x")
        assert (got.classes, len(got.train)) == (("cat", "dog"), 5)


def test_nothing_is_unpacked_to_disk(tmp_path, monkeypatch):
    outside = {f"{tmp_path}/escaped.png": b"", "/train/cat/9.png": _png(2)}
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    path = _tar(tmp_path / "in" / "toy.tar", _toy() | outside)
    with pytest.raises(UserError, match="move or remove it"):
        read_class_folders(path, cache=tmp_path / "in" / "cache")
    path = _tar(tmp_path / "in" / "toy.tar", _toy() | {"/train/cat/9.png": _png(2)})
    got = read_class_folders(path, cache=tmp_path / "in" / "cache")
    assert len(got.train) == 6, "an absolute path is one below the archive's top"
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_dir()) == ["cache", "in"]
    assert len(list(tmp_path.rglob("*.png"))) == 0


def test_without_a_pair_of_parts_a_fifth_of_every_class_is_the_test(tmp_path):
    counts = {"a": 10, "b": 2, "c": 13}
    files = {
        f"top/{name}/{i:02}.png": _png(10 * i + ord(name) - ord("a"))
        for name, count in counts.items()
        for i in range(count)
    }
    got = read_class_folders(_zip(tmp_path / "pets.zip", files), cache=tmp_path)
    again = read_class_folders(_tar(tmp_path / "other.tar", files), cache=tmp_path)
    assert got.shown_as == "pets (class folders, own 80/20 split)"
    assert np.bincount(got.test.labels).tolist() == [2, 1, 3]
    assert np.bincount(got.train.labels).tolist() == [8, 1, 10]
    values = [*got.train.pixels[:, 0, 0, 0], *got.test.pixels[:, 0, 0, 0]]
    assert len(set(values)) == 25
    assert again.digest == got.digest


@pytest.mark.parametrize("instead", ["val", "valid", "validation"])
def test_val_beside_train_is_the_test_part_and_that_is_said_once(tmp_path, instead):
    files = {name.replace("test/", f"{instead}/"): d for name, d in _toy().items()}
    path, said = _zip(tmp_path / "pets.zip", files), []
    for _ in range(2):
        got = read_class_folders(path, cache=tmp_path / "cache", say=said.append)
        assert got.shown_as == f"pets (class folders, {instead} as test)"
        assert got.test.pixels[:, 0, 0, 0].tolist() == [3, 4, 13]
    assert said == [
        f"{path} has no test folder: its folder {instead} is the test part; "
        "validation images are taken from train"
    ]
    usual = read_class_folders(_zip(tmp_path / "toy.zip", _toy()), cache=tmp_path)
    assert usual.digest == got.digest


@pytest.mark.parametrize(
    ("name", "called", "shown_as"),
    [
        ("cifar10-jpeg.zip", "cifar10-jpeg", "cifar10 (jpeg)"),
        ("CIFAR100-q75-v2.zip", "cifar100-q75-v2", "cifar100 (q75-v2)"),
        ("cifar10.zip", "cifar10", "cifar10 (class folders)"),
        ("cats-dogs.zip", "cats-dogs", "cats-dogs (class folders)"),
        ("My pets (2).v1.zip", "my_pets_2_.v1", "my_pets_2_.v1 (class folders)"),
    ],
)
def test_name_says_what_the_data_is(tmp_path, name, called, shown_as):
    got = read_class_folders(_zip(tmp_path / name, _toy()), cache=tmp_path)
    assert (got.name, got.shown_as) == (called, shown_as)


def test_folder_of_links_is_read_and_named_by_its_own_name(tmp_path, monkeypatch):
    real = _folder(tmp_path / "real", _toy())
    (tmp_path / "pets").mkdir()
    for split in ("train", "test"):
        (tmp_path / "pets" / split).symlink_to(real / split, target_is_directory=True)
    monkeypatch.chdir(tmp_path / "pets")
    got = read_class_folders(Path("."), cache=tmp_path / "cache")
    assert (got.name, len(got.train)) == ("pets", 5)
