"""Published data sets: miniature copies of torchvision's files, and all failures.

No test reaches the network: `urlopen` is replaced in all of them.
"""

import gzip
import hashlib
import io
import pickle
import socket
import sys
import urllib.error
import urllib.request
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from torchvision import datasets as published

from rofit.data.datasets import DATASETS, load
from rofit.errors import UserError

pytestmark = pytest.mark.usefixtures("requested_urls")  # no network

RNG = np.random.default_rng(0)


def _put(file: Path, data: bytes) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return hashlib.md5(data).hexdigest()


class _OldPickle:
    """Warns when unpickled, as the published batches do under NumPy 2.4.0 to 2.4.4."""

    def __reduce__(self):
        return warnings.warn, ("an old pickle",)


class _Chatter:
    """Prints when unpickled, as older torchvisions do about files that they find."""

    def __reduce__(self):
        return print, ("Files already downloaded and verified",)


def _batch(file: Path, n: int, labels_key: str, n_classes: int) -> tuple[str, dict]:
    entry = {
        "data": RNG.integers(0, 256, (n, 3072), dtype=np.uint8),
        labels_key: (np.arange(n) % n_classes).tolist(),
        "warns": _OldPickle(),
        "prints": _Chatter(),
    }
    return _put(file, pickle.dumps(entry)), entry


def _put_cifar10(root: Path, monkeypatch) -> list[dict]:
    folder, sums, entries = root / "cifar-10-batches-py", [], []
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        md5, entry = _batch(folder / name, 4, "labels", 10)
        sums.append([name, md5])
        entries.append(entry)
    names = {"label_names": [f"class {i}" for i in range(10)]}
    meta = published.CIFAR10.meta | {
        "md5": _put(folder / "batches.meta", pickle.dumps(names))
    }
    monkeypatch.setattr(published.CIFAR10, "train_list", sums[:5])
    monkeypatch.setattr(published.CIFAR10, "test_list", sums[5:])
    monkeypatch.setattr(published.CIFAR10, "meta", meta)
    return entries


def _idx(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def _put_mnist(root: Path, folder: str, pack=lambda data: data, ending="") -> dict:
    arrays = {}
    for split, n in (("train", 6), ("t10k", 3)):
        arrays[f"{split}-images-idx3"] = RNG.integers(
            0, 256, (n, 28, 28), dtype=np.uint8
        )
        arrays[f"{split}-labels-idx1"] = np.arange(n, dtype=np.uint8)
    for name, array in arrays.items():
        _put(root / folder / "raw" / f"{name}-ubyte{ending}", pack(_idx(array)))
    return arrays


def test_cifar10_on_disk_is_read_without_a_download(
    tmp_path, monkeypatch, requested_urls, capfd
):
    entries = _put_cifar10(tmp_path, monkeypatch)
    got = load("cifar10", root=tmp_path)
    first, last = (entry["data"].reshape(-1, 3, 32, 32) for entry in entries[::5])
    np.testing.assert_array_equal(got.train.pixels[:4], first)
    np.testing.assert_array_equal(got.test.pixels, last)
    assert got.train.labels.tolist() == [0, 1, 2, 3] * 5
    assert got.classes[9] == "class 9" and got.shown_as == "cifar10"
    assert requested_urls == []
    assert capfd.readouterr().out == ""


def test_cifar100_takes_the_fine_labels(tmp_path, monkeypatch):
    folder = tmp_path / "cifar-100-python"
    for split in ("train", "test"):
        md5, _ = _batch(folder / split, 5, "fine_labels", 100)
        monkeypatch.setattr(published.CIFAR100, f"{split}_list", [[split, md5]])
    names = {"fine_label_names": [f"class {i}" for i in range(100)]}
    meta = published.CIFAR100.meta | {"md5": _put(folder / "meta", pickle.dumps(names))}
    monkeypatch.setattr(published.CIFAR100, "meta", meta)
    got = load("cifar100", root=tmp_path)
    assert got.n_classes == 100 and got.train.labels.tolist() == [0, 1, 2, 3, 4]


def test_svhn_counts_its_label_10_as_digit_0(tmp_path, monkeypatch):
    pixels = RNG.integers(0, 256, (32, 32, 3, 3), dtype=np.uint8)
    sums = {}
    for split in ("train", "test"):
        file = io.BytesIO()
        scipy.io.savemat(file, {"X": pixels, "y": np.array([[10], [1], [9]])})
        name = f"{split}_32x32.mat"
        sums[split] = ["http://x", name, _put(tmp_path / name, file.getvalue())]
    monkeypatch.setattr(published.SVHN, "split_list", sums)
    got = load("svhn", root=tmp_path)
    np.testing.assert_array_equal(got.train.pixels, pixels.transpose(3, 2, 0, 1))
    assert got.test.labels.tolist() == [0, 1, 9]
    assert got.classes == tuple("0123456789")


@pytest.mark.parametrize(
    ("name", "folder"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")]
)
def test_mnist_files_are_read(tmp_path, name, folder):
    arrays = _put_mnist(tmp_path, folder)
    got = load(name, root=tmp_path)
    np.testing.assert_array_equal(got.train.pixels[:, 0], arrays["train-images-idx3"])
    np.testing.assert_array_equal(got.test.labels, arrays["t10k-labels-idx1"])
    assert got.n_classes == 10


def test_packed_files_put_there_by_hand_need_no_network(
    tmp_path, monkeypatch, requested_urls
):
    arrays = _put_mnist(tmp_path, "MNIST", gzip.compress, ".gz")
    raw = tmp_path / "MNIST" / "raw"
    sums = [
        (file.name, hashlib.md5(file.read_bytes()).hexdigest())
        for file in sorted(raw.iterdir())
    ]
    monkeypatch.setattr(published.MNIST, "resources", sums)
    got = load("mnist", root=tmp_path)
    np.testing.assert_array_equal(got.test.pixels[:, 0], arrays["t10k-images-idx3"])
    assert requested_urls == []


PUBLISHED = [name for name, known in DATASETS.items() if known.loader]


@pytest.mark.parametrize("name", PUBLISHED)
def test_failed_download_says_where_the_files_belong(tmp_path, name, requested_urls):
    sentence = (
        f"expected {name} under .*{tmp_path.name}, found none, and could not fetch it "
        # torchvision 0.19 does not hand on why the last mirror failed
        r"\(.*(no network in tests|Error downloading).*\); run "
        rf"`rofit data {name} --fetch` with a network, "
        rf"put {DATASETS[name].archives[0]}.* into .*, or pass --data"
    )
    with pytest.raises(UserError, match=sentence) as caught:
        load(name, root=tmp_path)
    assert "\n" not in str(caught.value) and requested_urls


@pytest.mark.parametrize("name", PUBLISHED)
def test_without_download_missing_files_are_an_error_at_once(
    tmp_path, name, requested_urls
):
    with pytest.raises(UserError, match=f"expected {name} under .* found none; run"):
        load(name, root=tmp_path, download=False)
    assert requested_urls == []


def test_waiting_for_a_server_ends_and_the_limit_is_put_back(tmp_path, monkeypatch):
    limits = []

    def refuse(*args, **kwargs):
        limits.append(socket.getdefaulttimeout())
        raise TimeoutError("timed out")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    with pytest.raises(UserError, match=r"could not fetch it \(timed out\)"):
        load("cifar10", root=tmp_path)
    assert set(limits) == {30.0} and socket.getdefaulttimeout() is None


@pytest.mark.parametrize("name", PUBLISHED)
def test_web_page_instead_of_data_is_called_one(tmp_path, monkeypatch, name):
    class Page(io.BytesIO):
        length, url = 30, None

    monkeypatch.setattr(
        urllib.request, "urlopen", lambda *_, **__: Page(b"\n<!doctype html> log in")
    )
    with pytest.raises(
        UserError, match=r"could not fetch it \(a web page came instead"
    ):
        load(name, root=tmp_path)


def test_damaged_file_is_named_as_such_and_never_replaced_silently(
    tmp_path, monkeypatch
):
    _put_cifar10(tmp_path, monkeypatch)
    (tmp_path / "cifar-10-batches-py" / "data_batch_3").write_bytes(b"cut")
    sentence = r"found files that cannot be used \(.*corrupted.*\); delete them and run"
    with pytest.raises(UserError, match=sentence):
        load("cifar10", root=tmp_path, download=False)
    with pytest.raises(UserError, match=r"cannot be used \(.*no network in tests"):
        load("cifar10", root=tmp_path)


@pytest.mark.parametrize("data", [b"", b"\x80\x04K", b"not a pickle"])
def test_pickle_that_cannot_be_read_is_a_sentence(tmp_path, monkeypatch, data):
    _put_cifar10(tmp_path, monkeypatch)
    md5 = _put(tmp_path / "cifar-10-batches-py" / "test_batch", data)
    monkeypatch.setattr(published.CIFAR10, "test_list", [["test_batch", md5]])
    with pytest.raises(UserError, match="cifar10 under .* files that cannot be used"):
        load("cifar10", root=tmp_path)


@pytest.mark.parametrize("data", [b"", b"\0\0\x08\x03", b"<html>", bytes(40)])
def test_idx_file_that_cannot_be_read_is_a_sentence(tmp_path, data):
    _put_mnist(tmp_path, "MNIST")
    _put(tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte", data)
    with pytest.raises(UserError, match="mnist under .* files that cannot be used"):
        load("mnist", root=tmp_path)


def test_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(UserError, match="the package torchvision to read mnist.*pip"):
        load("mnist", root=tmp_path)
