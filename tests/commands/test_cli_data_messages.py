"""--data that cannot be used is refused in one line, and what can be is used."""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_line import rofit
from PIL import Image

CLASSES = ("cat", "dog")
SPLITS = ("train", "test")


def _png(seed: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


GOOD = {
    f"{split}/{label}/{i}.png": _png(i)
    for split in SPLITS
    for label in CLASSES
    for i in range(4)
}

TINY = "train_size=6 val_size=2 test_size=0 batch_size=3 epochs=1".split()
TINY = [f"--set={pair}" for pair in TINY]


def _zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return path


def _missing(root: Path) -> Path:
    return root / "nowhere.zip"


def _empty_folder(root: Path) -> Path:
    (root / "empty").mkdir()
    return root / "empty"


def _no_archive(root: Path) -> Path:
    (root / "notes.zip").write_text("not an archive")
    return root / "notes.zip"


def _truncated(root: Path) -> Path:
    path = root / "cut.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, data in GOOD.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    path.write_bytes(path.read_bytes()[:-40])
    return path


def _class_without_images(root: Path) -> Path:
    return _zip(
        root / "hole.zip", {k: v for k, v in GOOD.items() if "test/dog" not in k}
    )


def _not_an_image(root: Path) -> Path:
    return _zip(root / "text.zip", GOOD | {"train/cat/3.png": b"I am no image"})


def _stray_file(root: Path) -> Path:
    return _zip(root / "stray.zip", GOOD | {"train/cat/labels.csv": b"1,2"})


def _another_size(root: Path) -> Path:
    file = io.BytesIO()
    Image.new("RGB", (9, 8)).save(file, "PNG")
    return _zip(root / "sizes.zip", GOOD | {"train/dog/1.png": file.getvalue()})


WRONG: dict[Callable[[Path], Path], str] = {
    _missing: "found nothing; check the path",
    _empty_folder: "found no images; check the path",
    _no_archive: "got a file that is neither; pack the images as train/<class>/",
    _truncated: "got one that is cut short, damaged or locked",
    _class_without_images: "found none in test/dog; add some or remove the class",
    _not_an_image: "expected an image in train/cat/3.png",
    _stray_file: "found train/cat/labels.csv; remove it or convert it to png",
    _another_size: "got 9x8 in train/dog/1.png; resize them to one size",
}


@pytest.mark.parametrize("make", WRONG, ids=lambda make: make.__name__.strip("_"))
@pytest.mark.parametrize("command", ["run fig1_gradnorm", "train"])
def test_data_that_cannot_be_used_are_one_sentence(tmp_path, make, command):
    path = make(tmp_path)
    home = tmp_path / "home"
    words = (*command.split(), "--scale", "smoke", "--data", path)
    answer = rofit(home, *words)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("rofit: expected ") and answer.err.count("\n") == 1
    assert WRONG[make] in answer.err and str(path) in answer.err
    assert not list(home.glob("runs/*")), "no other data set takes its place"


@pytest.mark.parametrize("packed", [True, False])
def test_class_folders_take_the_place_of_the_scales_data(tmp_path, packed):
    path = tmp_path / "pets.zip"
    _zip(path, GOOD)
    if not packed:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path / "pets")
        path = tmp_path / "pets"
    home = tmp_path / "home"
    answer = rofit(
        home, "train", "--scale", "smoke", "--data", path, *TINY, "--json", "--quiet"
    )
    assert (answer.code, answer.err) == (0, "")
    (row,) = json.loads(answer.out)["runs"]
    assert row["run"].startswith("pgd_at-pets-") and row["state"] == "done"
    spec = json.loads((home / "runs" / row["run"] / "spec.json").read_text())
    assert spec["dataset"] == "pets" and len(spec["dataset_digest"]) == 12


def _decoded(home: Path, path: Path) -> list[str]:
    answer = rofit(home, "data", path, "--json")
    assert (answer.code, answer.err) == (0, "")
    (rows,) = json.loads(answer.out).values()
    return [row["name"] for row in rows]


def test_data_decodes_an_archive_and_shows_it(tmp_path):
    assert _decoded(tmp_path / "home", _zip(tmp_path / "pets.zip", GOOD)) == ["pets"]
    (rows,) = json.loads(rofit(tmp_path / "home", "data", "--json").out).values()
    assert "pets" in [row["name"] for row in rows if row["present"]]


@pytest.mark.parametrize(
    ("file", "name"), [("My Pets.zip", "my_pets"), ("digits-mine.zip", "digits-mine")]
)
def test_data_shows_the_one_it_decoded_by_the_name_it_gave(tmp_path, file, name):
    assert _decoded(tmp_path / "home", _zip(tmp_path / file, GOOD)) == [name]


def test_picture_of_other_data_says_whose_they_are(tmp_path):
    path = _zip(tmp_path / "cifar10-mini.zip", GOOD)
    answer = rofit(
        tmp_path / "home",
        *("run", "fig1_gradnorm", "--scale", "smoke", "--data", path, "--quiet"),
        *TINY,
    )
    assert (answer.code, answer.err) == (0, "")
    (folder,) = (tmp_path / "home" / "results").glob("*/fig1_gradnorm")
    assert folder.parent.name.startswith("smoke+cifar10-mini-")
    assert "+batch_size=3+" in folder.parent.name
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["data"].startswith(
        "cifar10 (mini), 6 training images, 40% of training"
    )
