"""What could fill memory or wait for ever is refused, before it does, in a sentence."""

import io
import os
import socket
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rofit.data import limits
from rofit.data.folders import open_all, read_class_folders
from rofit.errors import UserError

MB = 10**6


def _png(side: int = 3) -> bytes:
    file = io.BytesIO()
    Image.new("L", (side, side)).save(file, "PNG")
    return file.getvalue()


GOOD = {f"{part}/{c}/1.png": _png() for part in ("train", "test") for c in "ab"}


def _zip(path: Path, files: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return path


def _tar(path: Path, files: dict[str, bytes], kind: str = "", **header: object) -> Path:
    """Pack files, the last of them under a header of which some fields are others."""
    with tarfile.open(path, f"w:{kind}") as tar:
        for number, (name, data) in enumerate(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            if number == len(files) - 1:
                for key, value in header.items():
                    setattr(member, key, value)
            tar.addfile(member, io.BytesIO(data) if member.isreg() else None)
    return path


def _folder(path: Path) -> Path:
    for name, data in GOOD.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def _refused(path: Path, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as caught:
        read_class_folders(path, cache=path.parent / "cache")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_large_file_in_a_zip(tmp_path, kind):
    files = GOOD | {"train/a/2.png": bytes(65 * MB)}
    sentence = r"at most 64 MB in .*pets.zip, got 65 MB in train/a/2.png; resize or"
    _refused(_zip(tmp_path / "pets.zip", files, kind), sentence)


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz"])
def test_large_file_in_a_tar(tmp_path, kind):
    files = GOOD | {"train/a/2.png": bytes(65 * MB)}
    _refused(_tar(tmp_path / "pets.tar", files, kind), "got 65 MB in train/a/2.png")


def test_many_files_that_unpack_to_a_thousand_times_the_archive(tmp_path):
    files = GOOD | {f"train/a/{i}.bin": bytes(5 * MB) for i in range(2, 16)}
    for path in (
        _zip(tmp_path / "pets.zip", files, zipfile.ZIP_DEFLATED),
        _tar(tmp_path / "pets.tar.gz", files, "gz"),
    ):
        _refused(path, r"got 0 MB that unpack to more than 100 times that; unpack it")


def test_zip_that_holds_more_than_it_says(tmp_path):
    path = _zip(tmp_path / "pets.zip", GOOD | {"train/a/2.png": b"a" * 999})
    data = path.read_bytes().replace(struct.pack("<L", 999), struct.pack("<L", 9))
    path.write_bytes(data)
    _refused(path, "cut short, damaged or locked")


def test_zip_whose_bzip2_unpacks_to_more_than_it_says(tmp_path):
    """270 MB of which it says that they are 1 byte: no more than two blocks at once."""
    path, size = tmp_path / "pets.zip", 270 * MB
    _zip(path, {"a/1.png": bytes(size)}, zipfile.ZIP_BZIP2)
    path.write_bytes(path.read_bytes().replace(struct.pack("<L", size), b"\1\0\0\0"))
    assert path.stat().st_size < 1000
    tracemalloc.start()
    try:
        _refused(path, r"damaged or locked \(Bad CRC-32")
        assert tracemalloc.get_traced_memory()[1] < 200 * MB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["", "gz"])
def test_tar_whose_name_is_longer_than_memory(tmp_path, kind):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 2**31
    data = header.tobuf(tarfile.GNU_FORMAT) + bytes(4 * MB)
    good = _tar(tmp_path / "good.tar", GOOD)
    with tarfile.open(good) as tar:
        end = tar.getmembers()[-1].offset
    path = tmp_path / "pets.tar"
    data = good.read_bytes()[:end] + data
    path.write_bytes(zlib.compress(data, wbits=31) if kind else data)
    _refused(path, r"damaged or locked \(a header of 2,147,483,648 bytes\)")


def test_tar_with_a_file_of_negative_size(tmp_path):
    """Python of 2025 goes back by it, to the same header, and never ends."""
    path = _tar(tmp_path / "pets.tar", GOOD)
    header = tarfile.TarInfo("train/a/2.png")
    buffer = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    buffer[124:136] = (-512).to_bytes(12, "big", signed=True)
    buffer[148:156] = b"%06o\0 " % (sum(buffer[:148]) + sum(buffer[156:]) + 8 * 32)
    with tarfile.open(path) as tar:
        last = tar.getmembers()[-1].offset
    data = path.read_bytes()
    path.write_bytes(data[:last] + bytes(buffer) + data[last:])
    _refused(path, r"damaged or locked \(a member of negative size\)")


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("symbolic link", {"type": tarfile.SYMTYPE, "linkname": "1.png"}),
        ("hard link", {"type": tarfile.LNKTYPE, "linkname": "train/a/1.png"}),
        ("pipe", {"type": tarfile.FIFOTYPE}),
        ("device", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5}),
    ],
)
def test_member_of_a_tar_that_is_no_file(tmp_path, name, member):
    path = _tar(tmp_path / "pets.tar", GOOD | {"train/a/2.png": b""}, **member)
    _refused(
        path, "found train/a/2.png, a link or device; pack the images .*hard-deref"
    )


def test_link_in_a_zip(tmp_path):
    path = _zip(tmp_path / "pets.zip", GOOD)
    link = zipfile.ZipInfo("train/a/2.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr(link, "/etc/passwd")
    _refused(path, "found train/a/2.png, a link or device")


@pytest.mark.parametrize("name", ["../train/a/2.png", "train/../../2.png", "a/.."])
def test_member_whose_path_leads_out(tmp_path, name):
    for path in (
        _zip(tmp_path / "pets.zip", GOOD | {name: _png()}),
        _tar(tmp_path / "pets.tar", GOOD | {name: _png()}),
    ):
        _refused(path, f"only paths inside .*, found {name}; pack the images from insi")


def test_file_that_is_packed_twice(tmp_path):
    again = GOOD | {"./train/a/1.png": _png(), "train/b/1.png": _png()}
    assert len(
        read_class_folders(_tar(tmp_path / "t.tar", again), cache=tmp_path).train
    )
    again["./train/a/1.png"] = _png(4)
    for path in (_zip(tmp_path / "pets.zip", again), _tar(tmp_path / "p.tar", again)):
        _refused(path, "two different ones called train/a/1.png; pack it again")


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("kind", ["pipe", "zero", "socket"])
def test_what_is_neither_file_nor_folder_is_not_opened(tmp_path, kind, inside):
    path = _folder(tmp_path / "pets") if inside else tmp_path / "pets.tar"
    special = path / "train/a/2.png" if inside else path
    if kind == "pipe":
        os.mkfifo(special)
    elif kind == "zero":
        special.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(special))
    _refused(path, f"a file or a folder at {special}, found a device, pipe or socket")


def test_empty_file_that_may_wait_for_ever_is_not_read(tmp_path, monkeypatch):
    """Files of /proc say that they are empty; reading kmsg waits for the next line."""
    path = tmp_path / "pets.tar"
    path.touch()
    monkeypatch.setattr(Path, "open", None)
    with pytest.raises(UserError, match="archive of images at .*, got an empty file"):
        read_class_folders(path, cache=tmp_path / "cache")


def test_large_source_is_not_even_read(tmp_path):
    for name in ("pets.tar", "pets/train/a/2.png"):
        _folder(tmp_path / "pets")
        with (tmp_path / name).open("wb") as file:
            file.truncate(2**40)  # a hole, of no blocks
    _refused(tmp_path / "pets.tar", "at most 4,295 MB in .*, got 1,099,512 MB;")
    _refused(
        tmp_path / "pets", "at most 64 MB in .*pets, got 1,099,512 MB in train/a/2"
    )


def _huge_png(width: int, height: int) -> bytes:
    """Return a PNG that is whole but for its pixels, of which it says how many."""
    parts = [b"\x89PNG\r\n\x1a\n"]
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    for kind, data in (
        (b"IHDR", header),
        (b"IDAT", zlib.compress(b"0")),
        (b"IEND", b""),
    ):
        crc = struct.pack(">I", zlib.crc32(kind + data))
        parts += [struct.pack(">I", len(data)), kind, data, crc]
    return b"".join(parts)


@pytest.mark.parametrize("size", [(60000, 60000), (13000, 8000), (2**20, 17)])
def test_image_that_says_it_is_huge(tmp_path, size):
    files = GOOD | {"train/b/1.png": _huge_png(*size)}
    sentence = "at most 16,777,216 pixels in .*, got more in train/b/1.png; resize"
    _refused(_zip(tmp_path / "pets.zip", files), sentence)


def test_pixels_of_all_images(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "LARGEST_PIXELS", 4 * 3 * 9 - 1)
    _refused(
        _zip(tmp_path / "pets.zip", GOOD),
        r"at most 0 MB of pixels in .*: 4 images of 3x3; resize the images or take",
    )


def test_number_of_files(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MOST_ENTRIES", 3)
    for path in (
        _zip(tmp_path / "pets.zip", GOOD),
        _tar(tmp_path / "pets.tar", GOOD),
        _folder(tmp_path / "pets"),
    ):
        _refused(path, "at most 3 files and folders in .*, found more; check the path")


def test_usual_sets_of_small_images_are_within_all_limits():
    """ImageNet at 32x32 as PNG, SVHN with its extra part, Tiny-ImageNet as bitmaps."""
    path = Path("images.tar")
    for number, side, bytes_each in (
        (1_331_167, 32, 3_000),
        (630_420, 32, 3_200),
        (120_000, 64, 64 * 64 * 3 + 54),
    ):
        limits.check_entries(number, path)
        limits.check_pixels(number, side, side, path)
        limits.check_unpacked(number * bytes_each, number * bytes_each // 4, path)
    limits.check_unpacked(60 * MB, 1, path)


def test_names_are_shown_on_one_line_whatever_is_in_them(tmp_path):
    bad = "train/a/\x1b[31m\n\udce9.txt"
    path = _tar(tmp_path / "pets.tar", GOOD | {bad: b"x"})
    _refused(path, r"found train/a/\\x1b\[31m\\n\\udce9.txt; remove")
    path = _tar(tmp_path / "pets.tar", GOOD | {f"train/a/{'x' * 9999}.txt": b"x"})
    _refused(path, r"found train/a/x+\.\.\.")


@pytest.mark.parametrize("name", ["caf\udce9", "a\nb"])
def test_class_whose_name_is_no_text(tmp_path, name):
    files = {f"{c}/{i}.png": _png() for c in ("a", name) for i in range(2)}
    shown = ascii(name)[1:-1].replace("\\", r"\\")
    _refused(
        _tar(tmp_path / "pets.tar", files), f"that are text .*found {shown}; rename"
    )


def test_file_whose_name_is_no_utf8_is_read(tmp_path):
    path = _tar(tmp_path / "pets.tar", GOOD | {"train/a/caf\udce9.png": _png()})
    assert len(read_class_folders(path, cache=tmp_path).train) == 3


@pytest.mark.parametrize("name", ["x" * 101 + ".tar", ".tar", "...", "é" * 51])
def test_name_that_no_file_of_the_cache_can_have(tmp_path, name):
    path = _tar(tmp_path / name, GOOD)
    sentence = "a name of 1 to 100 bytes for the images at .*; rename it"
    _refused(path, sentence)


@pytest.mark.parametrize("text", ["x" * 5000, "~nobody-of-this-name/x", "a\nb", "a\0b"])
def test_path_that_cannot_be_is_one_sentence(tmp_path, text):
    with pytest.raises(UserError, match="expected") as caught:
        open_all([text], cache=tmp_path, say=print)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 700


def test_more_than_memory_is_a_sentence(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(np, "empty", full)
    _refused(
        _zip(tmp_path / "pets.zip", GOOD), "images that fit into memory at .*, got"
    )


def test_palette_with_transparency_warns_of_nothing(tmp_path):
    file = io.BytesIO()
    image = Image.effect_noise((3, 3), 99).convert("RGB").quantize(4)
    image.save(file, "PNG", transparency=bytes(range(4)))
    path = _zip(tmp_path / "pets.zip", GOOD | {"train/a/2.png": file.getvalue()})
    assert read_class_folders(path, cache=tmp_path).channels == 3
