"""Archives and folders of images, whole, with something in them that means harm."""

import functools
import io
import os
import socket
import struct
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
from damaged_images import GOOD, PACKERS, PLACE, Hostile, image, pick, unpacked
from PIL import Image

BOMB = 70_000_000


def bomb(folder: Path, rng: np.random.Generator) -> Hostile:
    """One member of 70 MB, or twenty of less that are 1,000 times the archive."""
    kind = pick(rng, ["pets.zip", "pets.tar.gz", "pets.tar.xz"])
    path = folder / kind
    path.write_bytes(_bomb(kind, pick(rng, [1, 20])))
    return Hostile(path, "refused")


@functools.cache
def _bomb(kind: str, members: int) -> bytes:
    part = bytes(BOMB // members if members == 1 else 4_000_000)
    files = GOOD | {f"train/cat/{i}.png": part for i in range(members)}
    with tempfile.TemporaryDirectory() as folder:
        return PACKERS[kind](Path(folder, kind), files).read_bytes()


def huge_image(folder: Path, rng: np.random.Generator) -> Hostile:
    """A PNG, whole but for its pixels, that says it has up to 2**62."""
    sides = [4097, 60_000, 2**20, 2**31 - 1, 13_000]
    header = struct.pack(">IIBBBBB", pick(rng, sides), pick(rng, sides), 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    chunks = {b"IHDR": header, b"IDAT": zlib.compress(b"0"), b"IEND": b""}
    for name, content in chunks.items():
        crc = struct.pack(">I", zlib.crc32(name + content))
        data += struct.pack(">I", len(content)) + name + content + crc
    return _packed(folder, rng, GOOD | {PLACE: data}, "refused")


def member_of_a_tar(folder: Path, rng: np.random.Generator) -> Hostile:
    kinds = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
    path = PACKERS["pets.tar"](folder / "pets.tar", GOOD)
    member = tarfile.TarInfo(pick(rng, ["train/cat/x.png", "x", "test/horse/x"]))
    member.type = pick(rng, [*kinds, tarfile.FIFOTYPE])
    member.linkname = pick(rng, [PLACE, "/etc/passwd", "../../x", member.name])
    with tarfile.open(path, "a") as tar:
        tar.addfile(member)
    return Hostile(path, "refused")


def member_of_a_zip(folder: Path, rng: np.random.Generator) -> Hostile:
    path = PACKERS["pets.zip"](folder / "pets.zip", GOOD)
    member = zipfile.ZipInfo(pick(rng, ["train/cat/x.png", "x"]))
    member.external_attr = pick(rng, [0o120777, 0o010644, 0o020644, 0o140755]) << 16
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr(member, "/etc/passwd")
    return Hostile(path, "refused")


def locked_zip(folder: Path, rng: np.random.Generator) -> Hostile:
    data = bytearray(PACKERS["pets.zip"](folder / "pets.zip", GOOD).read_bytes())
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= pick(rng, [1, 1 | 1 << 6])
    (folder / "pets.zip").write_bytes(data)
    return Hostile(folder / "pets.zip", "refused")


def way_out(folder: Path, rng: np.random.Generator) -> Hostile:
    names = ["../x.png", "../../etc/x", "train/cat/../../../x.png", "train/..", "..\\x"]
    files = GOOD | {pick(rng, names): image(3)}
    kind = pick(rng, ["pets.zip", "pets.tar", "pets.tar.xz"])
    must = "any" if "..\\x" in files else "refused"
    return Hostile(PACKERS[kind](folder / kind, files), must)


def odd_name(folder: Path, rng: np.random.Generator) -> Hostile:
    """Names that no keyboard writes, of a file, a class or the source."""
    odd = pick(
        rng, ["caf\udce9", "a\nb", "\x1b[2J", "\u202e", "x" * 240, "'\"$`", "é "]
    )
    names = [f"train/cat/{odd}.png", f"train/{odd}/0.png", f"train/cat/{odd}", odd]
    files = GOOD | {pick(rng, names): image(3)}
    kind = pick(rng, ["pets.tar", "pets.tar.gz", "pets"])
    called = pick(rng, [kind, kind, f"{odd[:200]}.tar", "...tar", ".tar"])
    kind = kind if called == kind else "pets.tar"
    return Hostile(PACKERS[kind](folder / called, files), "any")


def twice(folder: Path, rng: np.random.Generator) -> Hostile:
    other = rng.random() < 0.5
    files = GOOD | {f"./{PLACE}": image(3) if other else GOOD[PLACE]}
    kind = pick(rng, ["pets.zip", "pets.tar"])
    return Hostile(PACKERS[kind](folder / kind, files), "refused" if other else "same")


def no_image(folder: Path, rng: np.random.Generator) -> Hostile:
    inner = PACKERS["pets.zip"](folder / "inner.zip", GOOD).read_bytes()
    gif = image(1, kind="GIF")
    data = pick(
        rng, [b"", b"text", inner, gif, bytes(5000), rng.bytes(200), b"\x89PNG"]
    )
    name = pick(rng, [PLACE, "train/cat/x.png", "train/cat/x.zip", "train/horse/x.txt"])
    return _packed(folder, rng, GOOD | {name: data}, "refused")


def nothing_but_archives(folder: Path, rng: np.random.Generator) -> Hostile:
    inner = PACKERS["pets.zip"](folder / "inner.zip", GOOD).read_bytes()
    files = {name: inner for name in ("train.zip", "test.zip")}
    return _packed(folder, rng, files, "refused")


def mixed_sizes(folder: Path, rng: np.random.Generator) -> Hostile:
    files = GOOD | {PLACE: image(3, side=pick(rng, [1, 5, 7, 300]))}
    return _packed(folder, rng, files, "refused")


def deep_image(folder: Path, rng: np.random.Generator) -> Hostile:
    file = io.BytesIO()
    array = rng.integers(0, 2**16, (6, 6)).astype(np.uint16)
    Image.fromarray(array).save(file, "PNG")
    return _packed(folder, rng, GOOD | {PLACE: file.getvalue()}, "refused")


def unusual_image(folder: Path, rng: np.random.Generator) -> Hostile:
    """Grey, transparent, of a palette, animated, for print: all are read."""
    frames = [Image.new("RGB", (6, 6), (i, 0, 0)) for i in range(3)]
    animated = io.BytesIO()
    frames[0].save(animated, "PNG", save_all=True, append_images=frames[1:])
    images = [image(4, mode) for mode in ("L", "LA", "RGBA", "P", "1")]
    images += [image(4, "CMYK", "JPEG"), image(4, "L", "JPEG"), animated.getvalue()]
    images += [image(4, "P", transparency=bytes(range(256)))]
    return _packed(folder, rng, GOOD | {PLACE: pick(rng, images)}, "result")


def special_file(folder: Path, rng: np.random.Generator) -> Hostile:
    """A pipe, a device or a socket: as the source, in a class or beside the classes."""
    path = unpacked(folder / "pets", GOOD)
    places = [
        path / "train/cat/x.png",
        path / "x",
        path / "test/cat/x",
        folder / "a.tar",
    ]
    place, kind = pick(rng, places), int(rng.integers(4))
    if kind == 0:
        os.mkfifo(place)
    elif kind == 1:
        place.symlink_to(
            pick(rng, ["/dev/zero", "/dev/random", "/dev/tty", "/dev/stdin"])
        )
    elif kind == 2:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(place))
    else:
        place.symlink_to(pick(rng, [place.name, "nowhere", "/proc/kmsg", "x" * 255]))
    must = "any" if place.is_symlink() and not kind == 1 else "refused"
    return Hostile(place if place.parent == folder else path, must)


def circle(folder: Path, rng: np.random.Generator) -> Hostile:
    path = unpacked(folder / "pets", GOOD)
    above = pick(rng, [path, folder, path / "train", Path("/")])
    for i in range(int(rng.integers(1, 120))):
        (path / f"train/cat/{i}").symlink_to(above)
    return Hostile(path, "refused")


def large_hole(folder: Path, rng: np.random.Generator) -> Hostile:
    path = unpacked(folder / "pets", GOOD)
    place = pick(rng, [path / PLACE, folder / "pets.tar", folder / "pets.zip"])
    begin = pick(rng, [b"", b"PK\3\4", b"\x1f\x8b\x08", GOOD[PLACE]])
    with place.open("wb") as file:
        file.write(begin)
        file.truncate(
            pick(rng, [2**24, 2**26, 2**40]) if place != path / PLACE else 2**31
        )
    return Hostile(path if place.is_relative_to(path) else place, "refused")


def closed(folder: Path, rng: np.random.Generator) -> Hostile:
    """Nobody may read it; to be read by another than the administrator."""
    path = unpacked(folder / "pets", GOOD)
    pick(rng, [path, path / "train/cat", path / "test", path / PLACE]).chmod(0)
    return Hostile(path, "refused")


def _packed(folder: Path, rng, files: dict[str, bytes], must: str) -> Hostile:
    kind = pick(rng, list(PACKERS))
    return Hostile(PACKERS[kind](folder / kind, files), must)


HOSTILE = [
    bomb,
    huge_image,
    member_of_a_tar,
    member_of_a_zip,
    locked_zip,
    way_out,
    odd_name,
    twice,
    no_image,
    nothing_but_archives,
    mixed_sizes,
    deep_image,
    unusual_image,
    special_file,
    circle,
    large_hole,
    closed,
]
