"""Nets and images small enough for a slow twin in float64, and short searches."""

import numpy as np
import torch
from hypothesis import settings
from torch import nn

from rofit.data.images import Dataset, Images

# of hypothesis: without a clock and without a file of examples
quick = settings(deadline=None, database=None, max_examples=60)


def conv_net(*, channels=2, size=4, n_classes=3, seed=0):
    """Return a float64 net with BatchNorm whose running statistics are not trivial."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Conv2d(channels, 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.Tanh(),
            nn.Flatten(),
            nn.Linear(4 * size * size, n_classes),
        ).double()
        net.train()
        with torch.no_grad():
            for _ in range(3):
                net(torch.rand(16, channels, size, size).double())
    return net


def batch(n, *, channels=2, size=4, n_classes=3, seed=0):
    """Return float64 images (n, C, H, W) in [0, 1] and classes (n,)."""
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.random((n, channels, size, size)))
    return x, torch.from_numpy(rng.integers(0, n_classes, n))


def linear_net(weight):
    """Return the two-class float64 net with logits (0, <weight, x>)."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(weight.numel(), 2, bias=False))
    net[1].weight.data = torch.stack([torch.zeros_like(weight), weight]).flatten(1)
    return net.double()


def random_images(n, *, size=8, channels=1, n_classes=10, seed=0):
    """Return uint8 images with random pixels and classes."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (n, channels, size, size), dtype=np.uint8)
    return Images(pixels, rng.integers(0, n_classes, n))


def random_dataset(n_train=80, n_test=24):
    """Return a data set of noise, in the shape of the digits."""
    return Dataset(
        name="digits",
        shown_as="noise",
        classes=tuple("0123456789"),
        train=random_images(n_train, seed=1),
        test=random_images(n_test, seed=2),
    )
