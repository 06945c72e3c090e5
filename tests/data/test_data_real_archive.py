"""The real archive that engineers of rofit share: all of CIFAR-10 as JPEGs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rofit.data.datasets import load
from rofit.data.folders import read_class_folders

ARCHIVE = Path(__file__).resolve().parents[3] / "shared/data/cifar10-jpeg.tar.xz"


# One test, because decoding takes twelve seconds and test processes share nothing.
def test_archive_is_cifar10_but_for_jpeg_and_is_decoded_once(tmp_path, monkeypatch):
    if not ARCHIVE.exists():
        pytest.skip(f"needs the archive of CIFAR-10 class folders at {ARCHIVE}")
    calls: list[tuple[int, int]] = []
    got = read_class_folders(
        ARCHIVE, cache=tmp_path, progress=lambda *counts: calls.append(counts)
    )
    assert (got.name, got.shown_as) == ("cifar10-jpeg", "cifar10 (jpeg)")
    assert got.classes[:3] == ("airplane", "automobile", "bird")
    assert np.bincount(got.train.labels).tolist() == [5000] * 10
    assert np.bincount(got.test.labels).tolist() == [1000] * 10
    assert got.train.pixels.shape == (50_000, 3, 32, 32)
    assert calls[-1] == (60_000, 60_000)
    # The published CIFAR-10; JPEG moved mean and spread by less than 0.002.
    mean, std = got.statistics()
    np.testing.assert_allclose(mean, (0.4914, 0.4822, 0.4465), atol=0.003)
    np.testing.assert_allclose(std, (0.2470, 0.2435, 0.2616), atol=0.003)
    monkeypatch.setattr(Image, "open", None)
    assert read_class_folders(ARCHIVE, cache=tmp_path).digest == got.digest
    again = load("cifar10-jpeg", root=tmp_path, digest=got.digest)
    np.testing.assert_array_equal(again.test.pixels, got.test.pixels)
    for file in tmp_path.iterdir():
        file.unlink()  # 180 MB, which pytest would keep for three runs.
