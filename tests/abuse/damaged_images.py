"""Damaged archives and folders of images, each made from a generator.

A maker returns the source and what must come of it: ``same`` (the images of GOOD, or a
refusal), ``refused``, ``result``, or ``any`` of result and refusal.
"""

import functools
import io
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

Files = dict[str, bytes]


class Hostile(NamedTuple):
    path: Path
    must: str


def pick(rng: np.random.Generator, options: list):
    """Return one of the options, of whatever type."""
    return options[int(rng.integers(len(options)))]


def image(seed: int, mode: str = "RGB", kind: str = "PNG", side: int = 6, **options):
    """Return the bytes of an image of noise."""
    noise = np.random.default_rng(seed).integers(
        0, 256, (side, side, 3), dtype=np.uint8
    )
    file = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(file, kind, **options)
    return file.getvalue()


GOOD: Files = {
    f"{part}/{label}/{i:04}.png": image(i + 7 * len(label) + 50 * len(part))
    for part in ("train", "test")
    for label in ("cat", "horse")
    for i in range(3)
}
PLACE = "train/cat/0001.png"


def pack_zip(path: Path, files: Files, kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as packed:
        for name, data in files.items():
            packed.writestr(zipfile.ZipInfo(name), data, kind)
    return path


def pack_tar(path: Path, files: Files, kind: str = "", last: bytes = b"") -> Path:
    """Pack files, and the raw blocks *last* behind them."""
    with tarfile.open(path, f"w:{kind}", encoding="utf-8") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        if last:
            tar.fileobj.write(last)
            tar.offset += len(last)
    return path


def unpacked(path: Path, files: Files) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


PACKERS: dict[str, Callable[[Path, Files], Path]] = {
    "pets.zip": pack_zip,
    "stored.zip": lambda p, f: pack_zip(p, f, zipfile.ZIP_STORED),
    "bz.zip": lambda p, f: pack_zip(p, f, zipfile.ZIP_BZIP2),
    "xz.zip": lambda p, f: pack_zip(p, f, zipfile.ZIP_LZMA),
    "pets.tar": pack_tar,
    "pets.tar.gz": lambda p, f: pack_tar(p, f, "gz"),
    "pets.tar.bz2": lambda p, f: pack_tar(p, f, "bz2"),
    "pets.tar.xz": lambda p, f: pack_tar(p, f, "xz"),
    "pets": unpacked,
}
ARCHIVES = [name for name in PACKERS if "." in name]


@functools.cache
def packed_good(name: str) -> bytes:
    """Return the bytes of an archive of GOOD."""
    with tempfile.TemporaryDirectory() as folder:
        return PACKERS[name](Path(folder, name), GOOD).read_bytes()


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Return bytes with a bit flipped, a block zeroed, a piece cut out, or more."""
    array = bytearray(data)
    at, more = (int(i) for i in rng.integers(0, len(data), 2))
    match int(rng.integers(7)):
        case 0 | 1:
            array[at] ^= 1 << int(rng.integers(8))
        case 2:
            size = pick(rng, [16, 512, 4096])
            array[at : at + size] = bytes(len(array[at : at + size]))
        case 3:
            del array[at:]
        case 4:
            del array[at : at + int(rng.integers(1, 600))]
        case 5:
            array[at:at] = array[more : more + int(rng.integers(1, 600))]
        case 6:
            array[at : at + 4] = rng.bytes(4)
    return bytes(array)


def damaged_archive(folder: Path, rng: np.random.Generator) -> Hostile:
    """Zeros from a member on to the end of a tar are the end of a shorter one."""
    name = pick(rng, ARCHIVES)
    path, good = folder / name, packed_good(name)
    data = damaged(good, rng)
    path.write_bytes(data)
    ends_early = len(good.rstrip(b"\0")) - len(data.rstrip(b"\0")) >= tarfile.BLOCKSIZE
    return Hostile(path, "any" if name == "pets.tar" and ends_early else "same")


def much_damaged_archive(folder: Path, rng: np.random.Generator) -> Hostile:
    name = pick(rng, ARCHIVES)
    data = packed_good(name)
    for _ in range(int(rng.integers(2, 9))):
        data = damaged(data, rng) or b"PK"
    (folder / name).write_bytes(data)
    return Hostile(folder / name, "any")


def noise_with_an_archives_beginning(folder: Path, rng: np.random.Generator) -> Hostile:
    begins = [packed_good(name)[:6] for name in ARCHIVES] + [b"\x5d\0\0\x80", b""]
    data = pick(rng, begins) + rng.bytes(int(rng.integers(1, 3000)))
    (folder / "pets.tar").write_bytes(data)
    return Hostile(folder / "pets.tar", "refused")


def damaged_image(folder: Path, rng: np.random.Generator) -> Hostile:
    """A file of another kind than PNG, which has checksums, may be read as others."""
    kind = pick(rng, ["PNG", "JPEG", "BMP", "WEBP"])
    data = GOOD[PLACE] if kind == "PNG" else image(1, kind=kind)
    files = GOOD | {PLACE: damaged(data, rng)}
    name = pick(rng, list(PACKERS))
    path = PACKERS[name](folder / name, files)
    return Hostile(path, "same" if kind == "PNG" else "any")


def header_of_a_tar(folder: Path, rng: np.random.Generator) -> Hostile:
    """Fields of a header are noise, or numbers of no file; its checksum is right."""
    header = tarfile.TarInfo(pick(rng, [PLACE, "train/cat/x.png", "././@LongLink"]))
    header.type = bytes([pick(rng, list(b"01234567LKgxSDVXA\0"))])
    buffer = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    sizes = [-512, -1, 0, 99, 512, 2**20, 2**31, 2**62]
    buffer[124:136] = pick(rng, sizes).to_bytes(12, "big", signed=True)
    if rng.random() < 0.7:
        buffer[124] |= 0x80
    for start, size in ((0, 100), (157, 100), (329, 16), (386, 126)):
        if rng.random() < 0.25:
            buffer[start : start + size] = rng.bytes(size)
    buffer[148:156] = b"%06o\0 " % (sum(buffer[:148]) + sum(buffer[156:]) + 256)
    last = bytes(buffer) + pick(rng, [b"", bytes(512), b"9" * 1024])
    kind = pick(rng, ["", "gz"])
    return Hostile(pack_tar(folder / "pets.tar", GOOD, kind, last), "any")


def pax_header_of_a_tar(folder: Path, rng: np.random.Generator) -> Hostile:
    keys = ["size", "path", "GNU.sparse.map", "GNU.sparse.size", "GNU.sparse.major"]
    keys += [
        "GNU.sparse.minor",
        "GNU.sparse.numblocks",
        "hdrcharset",
        "linkpath",
        "mtime",
    ]
    values = [
        "-1",
        "-512",
        "1",
        "9" * 30,
        "0,5,3",
        "1e999",
        "\0",
        "../x",
        "BINARY",
        "é",
    ]
    member = tarfile.TarInfo("train/cat/x.png")
    member.pax_headers = {
        pick(rng, keys): pick(rng, values) for _ in range(int(rng.integers(1, 4)))
    }
    last = member.tobuf(tarfile.PAX_FORMAT)
    return Hostile(pack_tar(folder / "pets.tar", GOOD, "", last), "any")


def directory_of_a_zip(folder: Path, rng: np.random.Generator) -> Hostile:
    """Numbers in the directory at a zip's end are others."""
    data = bytearray(packed_good("pets.zip"))
    begin = data.index(b"PK\1\2")
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(begin, len(data) - 4))
        size = pick(rng, [1, 2, 4])
        data[at : at + size] = pick(rng, [bytes(4), b"\xff" * 4, b"\1\0\0\0"])[:size]
    (folder / "pets.zip").write_bytes(data)
    return Hostile(folder / "pets.zip", "any")


DAMAGED = [
    damaged_archive,
    damaged_archive,
    much_damaged_archive,
    noise_with_an_archives_beginning,
    damaged_image,
    header_of_a_tar,
    pax_header_of_a_tar,
    directory_of_a_zip,
]
