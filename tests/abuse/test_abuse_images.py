"""Whatever ``--data`` is given, it ends in a result or one sentence: in short."""

import gzip
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from command_line import is_one_sentence, rofit
from damaged_images import GOOD, pack_tar
from fuzz_images import fuzz_with_little_memory

MB = 10**6


def test_hostile_images_end_in_a_result_or_one_sentence():
    ended = fuzz_with_little_memory(108, seed=2)
    assert ended["failures"] == []
    outcomes = ended["outcomes"]
    assert min(outcomes[kind] for kind in ("refused", "read", "cache made again")) > 0


def _zeros() -> bytes:
    """Return 2 GiB of zeros in pieces of gzip, which unpack one after another."""
    return 2**7 * gzip.compress(bytes(2**24))


def _one_member(path: Path) -> Path:
    member = tarfile.TarInfo("train/cat/x.png")
    member.size = 2**31
    head = gzip.compress(member.tobuf(tarfile.GNU_FORMAT))
    path.write_bytes(head + _zeros() + gzip.compress(bytes(10240)))
    return path


def _forty_members(path: Path) -> Path:
    """Of 54 MB, compressed once and copied with its entry in the directory."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("train/cat/00.png", bytes(54 * MB))
    data = path.read_bytes()
    begin, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    body, entry, directory = data[:begin], data[begin:end], b""
    for i in range(40):
        numbered = entry.replace(b"00.png", b"%02d.png" % i)
        directory += numbered[:42] + struct.pack("<L", i * begin) + numbered[46:]
    bodies = (body.replace(b"00.png", b"%02d.png" % i) for i in range(40))
    sizes = struct.pack("<HHLL", 40, 40, len(directory), 40 * begin)
    last = data[end : end + 8] + sizes + data[end + 20 :]
    path.write_bytes(b"".join(bodies) + directory + last)
    return path


def _zeros_behind_the_end(path: Path) -> Path:
    path.write_bytes(pack_tar(path, GOOD, "gz").read_bytes() + _zeros())
    return path


@pytest.mark.parametrize(
    ("make", "name", "sentence"),
    [
        (_one_member, "a.tar.gz", "at most 64 MB in {}, got 2,147 MB in train/cat"),
        (_forty_members, "a.zip", "images in {}, got 2 MB that unpack to more than"),
        (_zeros_behind_the_end, "a.tar.gz", "got 2 MB that unpack to more than 100"),
    ],
)
def test_bomb_of_2_gib_is_refused_without_unpacking_it(tmp_path, make, name, sentence):
    path = make(tmp_path / name)
    assert path.stat().st_size < 3 * MB
    answer = rofit(tmp_path, "data", path)
    is_one_sentence(answer, sentence.format(path))
