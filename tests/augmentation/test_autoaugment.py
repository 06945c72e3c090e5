"""AutoAugment against torchvision's, one Pillow image at a time, to the bit."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import AutoAugment as Theirs
from torchvision.transforms import AutoAugmentPolicy

from rofit.augmentation.autoaugment import POLICY, AutoAugment, drawn
from rofit.seeding import generator

SIZES = [(3, 32, 32), (3, 64, 64), (3, 9, 14), (1, 8, 8)]
N = 12  # images a pair and pair of signs


def _images(shape, n):
    """Return noise, and noise on a ramp, which flat histograms and shifts show."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, *shape), dtype=np.uint8)
    ramp = np.linspace(0, 255, shape[-1]).astype(np.uint8)
    images[::2] = np.maximum(images[::2] // 4, ramp)
    return images


def _opened(image):
    return Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0))


def _theirs(images, pair, roll, sign, monkeypatch):
    """Return what torchvision makes of the images under these draws."""
    policy, made = Theirs(AutoAugmentPolicy.CIFAR10), []
    rows = zip(images, pair.tolist(), roll, (sign > 0).long(), strict=True)
    for image, *row in rows:
        monkeypatch.setattr(policy, "get_params", lambda _, row=row: row)
        changed = np.atleast_3d(np.asarray(policy(_opened(image))))
        made.append(changed.transpose(2, 0, 1))
    return torch.from_numpy(np.stack(made))


@pytest.mark.parametrize("shape", SIZES, ids=str)
@pytest.mark.parametrize("both", [True, False], ids=["both", "by chance"])
def test_every_pair_equals_torchvisions(shape, both, monkeypatch):
    """Both steps of all pairs under all signs, and steps left out by chance."""
    pair = torch.arange(len(POLICY)).repeat(4 * N)
    n = len(pair)
    sign = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    sign = sign.repeat_interleave(len(POLICY), dim=0).repeat(N, 1)
    roll = torch.rand(n, 2, generator=generator(0, "roll")) * (0 if both else 1)
    images = _images(shape, n)
    ours = AutoAugment()(torch.from_numpy(images), drawn(pair, roll, sign, shape[1:]))
    theirs = _theirs(images, pair, roll, sign, monkeypatch)
    wrong = (ours != theirs).flatten(1).any(dim=1)
    assert not wrong.any(), {POLICY[p] for p in pair[wrong].tolist()}


def test_pairs_steps_and_signs_are_as_frequent_as_the_policy_says():
    n = 100_000
    draws = AutoAugment().draw(lambda name: generator(5, name), n, (32, 32))
    made = (draws["operation"] >= 0).double().mean(dim=0)
    for step in range(2):
        chance = sum(row[step][1] for row in POLICY) / len(POLICY)
        assert abs(made[step] - chance) < 4 * (chance * (1 - chance) / n) ** 0.5
    shears = draws["strength"][draws["operation"] == 0]  # of two pairs of 25
    chance = (0.5 + 0.2) / len(POLICY)
    assert abs(len(shears) / n - chance) < 4 * (chance / n) ** 0.5
    assert abs((shears < 0).double().mean() - 0.5) < 2 / len(shears) ** 0.5
