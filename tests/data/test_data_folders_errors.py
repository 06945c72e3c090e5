"""Whatever is wrong with class folders is said in one sentence that names it."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rofit.data.datasets import load
from rofit.data.folders import read_class_folders
from rofit.errors import UserError

Files = dict[str, bytes]


def _image(
    size: tuple[int, int] = (4, 3), mode: str = "RGB", kind: str = "PNG"
) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind)
    return file.getvalue()


def _half_a_photo(kind: str) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, kind)
    return file.getvalue()[: file.tell() // 2]


GOOD = {
    f"{split}/{label}/{i}.png": _image()
    for split in ("train", "test")
    for label in ("cat", "dog")
    for i in (1, 2)
}


def _zip(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return path


def _tar(path: Path, kind: str, files: Files = GOOD) -> Path:
    with tarfile.open(path, f"w:{kind}") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def _refused(path: Path, sentence: str) -> None:
    cache = path.parent / "cache"
    with pytest.raises(UserError, match=sentence) as caught:
        read_class_folders(path, cache=cache)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
    assert not list(cache.glob("*")), "nothing is cached of a source that is refused"


def test_missing_path(tmp_path):
    _refused(tmp_path / "pets.tar", "an archive or a folder .* found nothing; check")


def test_empty_folder(tmp_path):
    (tmp_path / "pets").mkdir()
    _refused(tmp_path / "pets", "expected train/<class>/<image> .* found no images")


def test_empty_file(tmp_path):
    (tmp_path / "pets.tar").touch()
    _refused(tmp_path / "pets.tar", "got an empty file; download or pack it again")


@pytest.mark.parametrize("data", [b"hello", _image(), b"0" * 4096])
def test_file_that_is_no_archive(tmp_path, data):
    (tmp_path / "pets.tar").write_bytes(data)
    _refused(tmp_path / "pets.tar", "a tar or zip archive, .* a file that is neither")


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz"])
@pytest.mark.parametrize("share", [0.03, 0.5, 0.9])
def test_tar_that_is_cut_short(tmp_path, kind, share):
    path = _tar(tmp_path / "pets.tar", kind)
    whole = path.read_bytes()
    # A plain tar ends in kilobytes of zeros that nobody misses.
    end = len(whole) if kind else whole.rstrip(b"\0").__len__()
    path.write_bytes(whole[: max(int(share * end), 20)])
    if kind or share > 0.1:
        _refused(path, "a whole tar or zip archive .* cut short, damaged or locked")
    else:
        _refused(path, "a tar or zip archive, .* a file that is neither")


def test_tar_that_is_cut_between_two_members(tmp_path):
    path = _tar(tmp_path / "pets.tar", "")
    with tarfile.open(path) as tar:
        last = tar.getmembers()[-1]
    path.write_bytes(path.read_bytes()[: last.offset])
    _refused(path, r"cut short, damaged or locked \(no end-of-archive mark\)")


def test_tar_with_a_header_of_zeros_in_its_middle(tmp_path):
    """Zeros are a tar's end: the members behind them must not be lost in silence."""
    path = _tar(tmp_path / "pets.tar", "")
    with tarfile.open(path) as tar:
        third = next(m for m in tar if m.name == "test/cat/2.png").offset
    data = path.read_bytes()
    path.write_bytes(data[:third] + bytes(512) + data[third + 512 :])
    _refused(path, r"cut short, damaged or locked \(more after its end\)")


def test_zip_whose_directory_hides_a_member(tmp_path):
    """A length of a comment that is as long as the next entry is one wrong number."""
    path = _zip(tmp_path / "pets.zip", GOOD)
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\1\2")
    data[entry + 32] = data.index(b"PK\1\2", entry + 4) - entry
    path.write_bytes(data)
    with zipfile.ZipFile(path) as packed:
        assert len(packed.namelist()) == len(GOOD) - 1, "zipfile says nothing"
    _refused(path, r"damaged or locked \(7 members, not 8\)")


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_tar_with_a_flipped_byte(tmp_path, kind):
    path = _tar(tmp_path / "pets.tar", kind)
    data = bytearray(path.read_bytes())
    data[-9] ^= 255
    path.write_bytes(data)
    _refused(path, "a whole tar or zip archive .* cut short, damaged or locked")


def test_zip_that_is_cut_short(tmp_path):
    path = _zip(tmp_path / "pets.zip", GOOD)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    _refused(path, "a whole tar or zip archive .* cut short, damaged or locked")


def test_zip_with_a_damaged_member(tmp_path):
    path = _zip(tmp_path / "pets.zip", GOOD)
    path.write_bytes(path.read_bytes().replace(b"IHDR", b"IHDX", 1))
    _refused(path, r"cut short, damaged or locked \(Bad CRC-32")


def test_zip_under_a_password(tmp_path):
    path = _zip(tmp_path / "pets.zip", GOOD)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= (
        1  # The flag "encrypted" of the first member.
    )
    data[6] |= 1
    path.write_bytes(data)
    _refused(path, "cut short, damaged or locked .*password")


def test_link_in_a_tar(tmp_path):
    path = _tar(tmp_path / "pets.tar", "")
    with tarfile.open(path, "a") as tar:
        link = tarfile.TarInfo("train/cat/3.png")
        link.type, link.linkname = tarfile.SYMTYPE, "../../../etc/passwd"
        tar.addfile(link)
    _refused(path, "found train/cat/3.png, a link or device; pack the images")


def test_empty_class_folder(tmp_path):
    for name, data in GOOD.items():
        if not name.startswith("test/cat"):
            (tmp_path / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "pets" / name).write_bytes(data)
    (tmp_path / "pets/test/cat").mkdir()
    _refused(tmp_path / "pets", "images of every class .* found none in test/cat;")


@pytest.mark.parametrize("empty", ["train/dog", "test/dog", "test"])
def test_class_in_one_part_only(tmp_path, empty):
    files = {name: data for name, data in GOOD.items() if not name.startswith(empty)}
    files |= {f"{empty}/": b""}
    first = empty if empty != "test" else "test/cat"
    _refused(_zip(tmp_path / "pets.zip", files), f"every class .* none in {first};")


def test_file_in_a_class_folder_that_is_no_image_by_name(tmp_path):
    files = GOOD | {"train/dog/notes.txt": b"x"}
    _refused(
        _zip(tmp_path / "p.zip", files), "only images .* found train/dog/notes.txt;"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        _image(kind="GIF"),
        *(_half_a_photo(kind) for kind in ("PNG", "JPEG", "BMP", "WEBP")),
    ],
    ids=["empty", "text", "gif", "cut png", "cut jpeg", "cut bmp", "cut webp"],
)
def test_file_that_is_no_image_by_content(tmp_path, data):
    files = GOOD | {"train/dog/2.png": data}
    sentence = "an image in train/dog/2.png .* got another or a damaged file"
    _refused(_zip(tmp_path / "pets.zip", files), sentence)


def test_image_of_16_bits(tmp_path):
    files = GOOD | {"test/cat/1.png": _image(mode="I;16")}
    sentence = "8 bits .* in test/cat/1.png .* 'I(;16)?'"  # Pillow 10 reads it as 'I'
    _refused(_zip(tmp_path / "pets.zip", files), sentence)


def test_image_of_another_size(tmp_path):
    files = GOOD | {
        "train/dog/1.png": _image((5, 3)),
        "train/dog/2.png": _image((9, 9)),
    }
    sentence = (
        "to be 4x3 pixels as train/cat/1.png is, got 5x3 in train/dog/1.png; resize"
    )
    _refused(_zip(tmp_path / "pets.zip", files), sentence)


@pytest.mark.parametrize(
    "stray", ["1.png", "train/1.png", "train/cat/x/1.png", "val/a/1.png"]
)
def test_image_outside_a_class_folder(tmp_path, stray):
    files = GOOD | {stray: _image()}
    _refused(_zip(tmp_path / "pets.zip", files), f"found {stray}; move or remove it")


def test_one_class_only(tmp_path):
    files = {name: data for name, data in GOOD.items() if "/cat/" in name}
    _refused(
        _zip(tmp_path / "pets.zip", files), "at least 2 classes .* only 'cat'; give"
    )


def test_class_too_small_to_split(tmp_path):
    files = {"cat/1.png": _image(), "dog/1.png": _image(), "dog/2.png": _image()}
    _refused(
        _zip(tmp_path / "pets.zip", files), "at least 2 images a class .* 1 in cat;"
    )


def test_source_that_cannot_be_read(tmp_path, monkeypatch):
    path = _zip(tmp_path / "pets.zip", GOOD)

    def closed(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", closed)
    _refused(path, "expected to read .*pets.zip, got 'Permission denied'; check its")


def test_link_to_nowhere_in_a_folder(tmp_path):
    (tmp_path / "pets/train").mkdir(parents=True)
    (tmp_path / "pets/train/1.png").symlink_to(tmp_path / "nowhere")
    _refused(tmp_path / "pets", "expected to read .*pets.*No such file")


@pytest.mark.parametrize("number", [1, 300])
def test_links_in_a_circle_end(tmp_path, number):
    (tmp_path / "pets/cats").mkdir(parents=True)
    for i in range(number):
        (tmp_path / f"pets/cats/{i}").symlink_to(tmp_path / "pets")
    _refused(
        tmp_path / "pets", "found cats/0, which leads to a folder above it; remove"
    )


@pytest.mark.parametrize("name", ["...tar", ".zip", "x" * 101 + ".zip"])
def test_archive_whose_name_no_data_set_can_have(tmp_path, name):
    path = _zip(tmp_path / name, GOOD)
    _refused(path, "expected a name of 1 to 100 bytes for the images at")


def test_decoded_images_outside_of_the_folder_of_data_sets(tmp_path):
    read_class_folders(_zip(tmp_path / "good.zip", GOOD), cache=tmp_path / "cache")
    (tmp_path / "cache" / "sub").mkdir()
    with pytest.raises(UserError, match="the data set must be a name"):
        load("sub/../good", root=tmp_path / "cache", digest="?" * 12)
