"""Each change of colour and shape against Pillow's, one image at a time, to the bit."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as vision

from rofit.augmentation import affine, color
from rofit.augmentation.color_shape import COLOR, SHAPE, ColorShape
from rofit.seeding import generator

SETS = pytest.mark.parametrize("changes", [COLOR, SHAPE], ids=["color", "shape"])
SIZES = [(3, 32, 32), (3, 7, 10), (1, 8, 8), (3, 2, 5), (3, 1, 1)]


def _sheared(image, x, y):
    degrees = [math.degrees(x), math.degrees(y)]
    nearest = InterpolationMode.NEAREST
    return vision.affine(image, 0.0, [0, 0], 1.0, degrees, nearest, 0)


TWINS = {
    color.saturation: vision.adjust_saturation,
    color.brightness: vision.adjust_brightness,
    color.contrast: vision.adjust_contrast,
    color.sharpness: vision.adjust_sharpness,
    color.autocontrast: lambda image, _: vision.autocontrast(image),
    color.equalize: lambda image, _: vision.equalize(image),
    affine.shear_rows: lambda image, angle: _sheared(image, angle, 0.0),
    affine.shear_columns: lambda image, angle: _sheared(image, 0.0, angle),
    affine.rotate: lambda image, angle: vision.rotate(image, angle),
}


def _images(shape, n=48, seed=0):
    """Return noise, smooth images, and images of one or few levels."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, *shape), dtype=np.uint8)
    images[n // 4 : n // 2] //= rng.integers(2, 90, (n // 4, 1, 1, 1), dtype=np.uint8)
    ramp = np.linspace(0, 255, shape[-1]).astype(np.uint8)
    images[n // 2 : -4] = np.maximum(images[n // 2 : -4] // 4, ramp)
    images[-4:] = rng.integers(0, 256, (4, 1, 1, 1), dtype=np.uint8)
    return images


def _slow(images, twin, strengths):
    done = []
    for image, strength in zip(images, strengths, strict=True):
        opened = Image.fromarray(
            np.squeeze(np.moveaxis(image, 0, -1), -1)
            if len(image) == 1
            else np.moveaxis(image, 0, -1)
        )
        changed = np.asarray(twin(opened, float(strength)))
        done.append(np.atleast_3d(changed).transpose(2, 0, 1))
    return torch.from_numpy(np.stack(done))


@SETS
@pytest.mark.parametrize("shape", SIZES, ids=str)
def test_every_change_equals_pillows(changes, shape):
    for number, change in enumerate(changes):
        images = _images(shape, seed=number)
        uniform = np.random.default_rng(number).random(len(images))
        strength = change.low + uniform * (change.high - change.low)
        if change.kind == "whole":
            strength = strength.round()
        if change.kind != "uniform":
            strength[::2] *= -1
        strength = torch.tensor(strength, dtype=torch.float32)
        ours = change.of(torch.from_numpy(images), strength)
        theirs = _slow(images, TWINS[change.of], strength)
        wrong = (ours != theirs).flatten(1).any(dim=1).nonzero().flatten().tolist()
        assert not wrong, (change, strength[wrong])


@SETS
def test_changes_are_as_frequent_and_as_strong_as_the_source_says(changes):
    n = 40_000
    drawn = ColorShape(changes).draw(lambda name: generator(5, name), n, (32, 32))
    assert sum(change.p for change in changes) == pytest.approx(1)
    for number, change in enumerate(changes):
        strength = drawn["strength"][drawn["change"] == number]
        error = 4 * (change.p * (1 - change.p) / n) ** 0.5
        assert abs(len(strength) / n - change.p) < error
        size = strength.abs()
        assert change.low <= size.min() and size.max() <= change.high
        if change.high == change.low:
            continue
        spread = (change.high - change.low) / 12**0.5 / len(size) ** 0.5
        middle = (change.low + change.high) / 2
        assert abs(size.double().mean() - middle) < 6 * spread
        share = (strength < 0).double().mean()
        half = 0 if change.kind == "uniform" else 0.5
        assert abs(share - half) < 4 * 0.5 / len(size) ** 0.5
        assert (change.kind == "whole") == bool((size == size.round()).all())
