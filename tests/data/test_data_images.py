"""Images and Dataset: content digest, channel statistics, refusal of misread arrays."""

import subprocess
import sys

import numpy as np
import pytest

from rofit.data.images import Dataset, Images
from rofit.errors import UserError


def _images(n: int, shape: tuple[int, int, int] = (3, 4, 5), seed: int = 0) -> Images:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (n, *shape), dtype=np.uint8)
    return Images(pixels, rng.integers(0, 2, n))


def _dataset(**changed: object) -> Dataset:
    fields: dict = {
        "name": "toy",
        "shown_as": "toy (made up)",
        "classes": ("cat", "dog"),
        "train": _images(7),
        "test": _images(3, seed=1),
    }
    return Dataset(**(fields | changed))


def test_statistics_equal_float64_statistics_of_unit_inputs():
    dataset = _dataset(train=_images(50))
    unit = dataset.train.pixels.astype(np.float64) / 255
    mean, std = dataset.statistics()
    np.testing.assert_allclose(mean, unit.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std, unit.std(axis=(0, 2, 3)), rtol=1e-9)


def test_statistics_of_a_constant_channel_have_no_spread():
    constant = Images(np.full((4, 1, 2, 2), 51, np.uint8), np.zeros(4, np.int64))
    assert _dataset(train=constant).statistics() == ((0.2,), (0.0,))


def test_sizes_are_read_off_the_training_images():
    dataset = _dataset()
    assert (dataset.n_classes, dataset.channels, dataset.image_size) == (2, 3, (4, 5))
    assert (len(dataset.train), len(dataset.test)) == (7, 3)


def test_digest_ignores_the_names_and_memory_layout_of_equal_content():
    swapped = np.ascontiguousarray(_images(7).pixels.transpose(0, 2, 3, 1))
    same = Images(swapped.transpose(0, 3, 1, 2), _images(7).labels)
    other = _dataset(name="other", shown_as="other", train=same)
    assert other.digest == _dataset().digest
    assert len(other.digest) == 12


def _one_pixel_more() -> Images:
    pixels = _images(7).pixels.copy()
    pixels[-1, -1, -1, -1] ^= 1
    return Images(pixels, _images(7).labels)


@pytest.mark.parametrize(
    "changed",
    [
        {"classes": ("cat", "dogs")},
        {"train": _one_pixel_more()},
        {"train": Images(_images(7).pixels, 1 - _images(7).labels)},
        {"train": Images(_images(7).pixels.reshape(7, 3, 5, 4), _images(7).labels)},
        {"train": _images(3, seed=1), "test": _images(7)},
    ],
    ids=["class name", "one pixel", "labels", "shape", "parts swapped"],
)
def test_digest_changes_with_the_content(changed):
    assert _dataset(**changed).digest != _dataset().digest


def test_take_keeps_pixels_and_labels_together():
    images = _images(9)
    taken = images.take(np.array([8, 0, 3]))
    np.testing.assert_array_equal(taken.pixels, images.pixels[[8, 0, 3]])
    np.testing.assert_array_equal(taken.labels, images.labels[[8, 0, 3]])
    taken.pixels[:] = 0
    assert images.pixels[8].any(), "a taken image is a copy"


def test_float_pixels_are_refused():
    with pytest.raises(UserError, match=r"pixels must be uint8 .*got float64 \(2, 1"):
        Images(np.zeros((2, 1, 3, 3)), np.zeros(2, np.int64))


def test_labels_of_another_length_are_refused():
    with pytest.raises(
        UserError, match=r"labels must be int64 of shape \(2,\).*\(3,\)"
    ):
        Images(np.zeros((2, 1, 3, 3), np.uint8), np.zeros(3, np.int64))


def test_everything_but_augment_imports_without_torch():
    modules = ("cache", "datasets", "folders", "images", "noise", "splits")
    code = "import sys; " + "; ".join(f"import rofit.data.{name}" for name in modules)
    code += "; sys.exit(sorted({'torch', 'torchvision'} & set(sys.modules)) or None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
