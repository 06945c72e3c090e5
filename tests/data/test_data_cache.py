"""Decoded class folders on disk: found by name and digest, never taken for another."""

import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rofit.data import cache as cache_module
from rofit.data.datasets import describe, load
from rofit.data.folders import cached, list_cached, read_class_folders
from rofit.data.images import Dataset
from rofit.errors import UserError
from rofit.writing import NotWritten


def _source(folder: Path, value: int = 7) -> Path:
    for split in ("train", "test"):
        for label in ("cat", "dog"):
            (folder / split / label).mkdir(parents=True, exist_ok=True)
            image = Image.new("L", (3, 2), value)
            image.save(folder / split / label / "1.png")
    return folder


def _decode(tmp_path: Path, name: str = "pets", value: int = 7) -> Dataset:
    return read_class_folders(_source(tmp_path / name, value), cache=tmp_path / "root")


def test_data_set_is_found_again_by_name_and_digest(tmp_path):
    made = _decode(tmp_path)
    got = load("pets", root=tmp_path / "root", digest=made.digest)
    assert (got.name, got.shown_as, got.classes) == (
        "pets",
        "pets (class folders)",
        ("cat", "dog"),
    )
    for split in ("train", "test"):
        pixels = getattr(made, split).pixels
        np.testing.assert_array_equal(getattr(got, split).pixels, pixels)
    assert cached("pets", "0" * 12, tmp_path / "root") is None
    assert cached("pet", made.digest, tmp_path / "root") is None
    assert cached("pets", made.digest, tmp_path / "nowhere") is None


def test_missing_digest_asks_for_the_path_again(tmp_path):
    sentence = "images of pets with digest abc under .*, found none; pass --data PATH"
    with pytest.raises(UserError, match=sentence):
        load("pets", root=tmp_path, digest="abc")
    made = _decode(tmp_path)
    with pytest.raises(UserError, match=f"found only {made.digest}; pass --data"):
        load("pets", root=tmp_path / "root", digest="abc")


def test_digest_never_falls_back_to_a_registered_data_set(tmp_path):
    with pytest.raises(UserError, match="decoded images of digits with digest abc"):
        load("digits", root=tmp_path, digest="abc")


def test_name_of_decoded_folders_alone_asks_for_the_path(tmp_path):
    _decode(tmp_path)
    with pytest.raises(
        UserError, match="a digest with 'pets', .* pass --data PATH with"
    ):
        load("pets", root=tmp_path / "root")


def test_listing_shows_every_decoded_set_and_nothing_else(tmp_path):
    sets = [_decode(tmp_path, "pets"), _decode(tmp_path, "cifar10-tiny", 9)]
    root = tmp_path / "root"
    np.savez(root / "mine.npz", a=np.zeros(2))
    (root / "broken-000-000.rofit.npz").write_bytes(b"PK\x03\x04")
    listed = {entry.name: entry for entry in list_cached(root)}
    assert set(listed) == {"pets", "cifar10-tiny"}
    assert listed["pets"].digest == sets[0].digest
    rows = [row for row in describe(root) if row.name in listed]
    assert [row.shown_as for row in rows] == ["cifar10 (tiny)", "pets (class folders)"]
    assert all(row.present for row in rows)
    assert rows[0].size == "2 + 2 images, 1x2x3, 2 classes"
    assert rows[1].how == f"decoded from --data PATH, digest {sets[0].digest}"


def test_damaged_file_is_an_error_for_a_run_and_mended_from_the_source(tmp_path):
    made = _decode(tmp_path)
    (file,) = (tmp_path / "root").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        UserError, match="got a damaged file .* delete it and pass --data"
    ):
        load("pets", root=tmp_path / "root", digest=made.digest)
    read_class_folders(tmp_path / "pets", cache=tmp_path / "root")
    assert file.read_bytes() == whole
    load("pets", root=tmp_path / "root", digest=made.digest)


def _same(one: Dataset, other: Dataset) -> bool:
    described = [(d.name, d.shown_as, d.classes) for d in (one, other)]
    return described[0] == described[1] and all(
        np.array_equal(getattr(a, array), getattr(b, array))
        for a, b in ((one.train, other.train), (one.test, other.test))
        for array in ("pixels", "labels")
    )


def test_no_flipped_bit_changes_what_is_read(tmp_path):
    """Names and sentences too, which are in no digest: the zip's CRC-32 holds them."""
    made = _decode(tmp_path)
    (file,) = (tmp_path / "root").iterdir()
    whole, harmless = file.read_bytes(), 0
    for place in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        file.write_bytes(damaged)
        try:
            assert _same(cache_module.read_cached(file), made)
            harmless += 1  # times, attributes, padding
        except cache_module.DamagedCache as error:
            assert "\n" not in str(error)
    assert 0 < harmless < 0.1 * len(whole)


def _flip(data: bytes, other: bytes) -> bytes:
    place = data.index(bytes([7] * 6))  # pixels
    return data[:place] + b"\6" + data[place + 1 :]


def _zero_a_block(data: bytes, other: bytes) -> bytes:
    return bytes(4096) + data[4096:]


DAMAGE = {
    "bit": _flip,
    "cut": lambda data, other: data[:-30],
    "block": _zero_a_block,
    "empty": lambda data, other: b"",
    "an array alone": lambda data, other: b"\x93NUMPY" + data,
    "another's": lambda data, other: other,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_said_and_made_good(tmp_path, damage):
    made, _ = _decode(tmp_path), _decode(tmp_path, "more", 9)
    (file,) = (tmp_path / "root").glob("pets-*")
    (other,) = (tmp_path / "root").glob("more-*")
    whole, said = file.read_bytes(), []
    file.write_bytes(DAMAGE[damage](whole, other.read_bytes()))
    for _ in range(2):
        source = tmp_path / "pets"
        got = read_class_folders(source, cache=file.parent, say=said.append)
        assert _same(got, made) and file.read_bytes() == whole
    (sentence,) = said
    assert sentence.startswith(f"the decoded images in {file} are damaged (")
    assert sentence.endswith(") and made again") and "\n" not in sentence


def test_header_that_says_more_than_memory_is_damage(tmp_path):
    made = _decode(tmp_path)
    (file,) = (tmp_path / "root").iterdir()
    with zipfile.ZipFile(file) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    shape, more = b"(2, 1, 2, 3), }" + 12 * b" ", b"(%s, 1, 2, 3), }" % (b"9" * 13)
    assert members["train_pixels.npy"].count(shape) == 1
    members["train_pixels.npy"] = members["train_pixels.npy"].replace(shape, more)
    with zipfile.ZipFile(file, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    with pytest.raises(UserError, match="got a damaged file .*Unable to allocate"):
        load("pets", root=file.parent, digest=made.digest)


def test_pipe_among_decoded_sets_is_passed_over(tmp_path):
    made = _decode(tmp_path)
    os.mkfifo(tmp_path / "root" / f"pets-{made.digest}-{'0' * 16}.rofit.npz")
    assert len(list_cached(tmp_path / "root")) == 1
    assert load("pets", root=tmp_path / "root", digest=made.digest).n_classes == 2


def test_no_name_leads_out_of_the_folder_of_decoded_sets(tmp_path):
    made = _decode(tmp_path)
    (tmp_path / "root" / "sub").mkdir()
    for name in ("sub/../pets", "../root/pets", f"{tmp_path}/root/pets", "/pets"):
        for root in (tmp_path / "root", tmp_path / "root" / "sub"):
            with pytest.raises(
                UserError, match="expected the decoded images|must be a name"
            ):
                load(name, root=root, digest=made.digest)


def test_renamed_copy_of_a_source_keeps_its_own_name(tmp_path):
    longer = _decode(tmp_path, "pets-two")
    (tmp_path / "pets-two").rename(tmp_path / "pets")
    got = read_class_folders(tmp_path / "pets", cache=tmp_path / "root")
    assert (got.name, got.digest) == ("pets", longer.digest)


def test_whole_file_is_taken_where_another_of_the_same_content_is_damaged(tmp_path):
    made = _decode(tmp_path)
    (file,) = (tmp_path / "root").iterdir()
    (file.parent / f"pets-{made.digest}-{'0' * 16}.rofit.npz").write_bytes(b"PK")
    assert load("pets", root=file.parent, digest=made.digest).digest == made.digest
    (file.parent / f"pets-{made.digest}-{'f' * 16}.rofit.npz").write_bytes(
        file.read_bytes()
    )
    assert [entry.path for entry in list_cached(file.parent)] == [file]


def test_file_with_other_content_than_its_digest_says_is_refused(tmp_path):
    first, second = _decode(tmp_path), _decode(tmp_path, "more", 9)
    files = {file.name.split("-")[0]: file for file in (tmp_path / "root").iterdir()}
    with np.load(files["more"]) as arrays:
        changed = dict(arrays)
    changed["train_pixels"] = changed["train_pixels"] + np.uint8(1)
    with files["more"].open("wb") as out:
        np.savez(out, **changed)
    sentence = rf"damaged file \(its digest is \w+, not {re.escape(second.digest)}\)"
    with pytest.raises(UserError, match=sentence):
        load("more", root=tmp_path / "root", digest=second.digest)
    assert load("pets", root=tmp_path / "root", digest=first.digest).n_classes == 2


def test_cache_that_cannot_be_made_is_refused_before_decoding(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(Image, "open", None)
    sentence = (
        "a folder for the decoded images at .*file/x, got 'Not a directory'; make"
    )
    with pytest.raises(UserError, match=sentence):
        read_class_folders(_source(tmp_path / "pets"), cache=tmp_path / "file" / "x")


def test_full_disk_leaves_no_half_written_file(tmp_path, monkeypatch):
    def full(out, **arrays):
        out.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_module.np, "savez", full)
    with pytest.raises(
        NotWritten, match=r"root \(No space left on device\); nothing of them is kept"
    ):
        _decode(tmp_path)
    assert list((tmp_path / "root").iterdir()) == []
