"""Checkpoint files of other programs, imported into a store of toy images."""

from pathlib import Path

import numpy as np
import torch
from training_helpers import CPU

from rofit.data.images import Dataset, Images
from rofit.interop.checkpoints.importing import Choices, import_checkpoint
from rofit.running.checkpoints import load_checkpoint

CLASSES = {"cifar10": 10, "cifar100": 100, "svhn": 10}
MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2471, 0.2435, 0.2616]


def toy_images(name, *, root=None, digest="", download=True):
    """Return 8 + 24 random images under a data set's name."""
    rng = np.random.default_rng(0)
    k = CLASSES[name]

    def images(n):
        pixels = rng.integers(0, 256, (n, 3, 16, 16), dtype=np.uint8)
        return Images(pixels, np.arange(n, dtype=np.int64) % k)

    return Dataset(name, name, tuple(map(str, range(k))), images(8), images(24))


def brought_in(path: Path, loaded, **choices):
    """Save what a program would, import it; return the import and its checkpoint."""
    if not isinstance(loaded, Path):
        torch.save(loaded, path)
    places = {"store": path.parent / "runs", "data": path.parent / "data"}
    run = import_checkpoint(path, Choices(**choices), device=CPU, **places)
    return run, load_checkpoint(run.file, data=places["data"], device=CPU)


def same_function(checkpoint, network, mean=None, std=None):
    """Assert that an imported network gives the logits of its own code's.

    Up to the rounding of sums in another order: logits are of the size of one.
    """
    x = checkpoint.images.x
    inputs = x
    if mean is not None:
        sides = (torch.tensor(side).view(1, -1, 1, 1) for side in (mean, std))
        inputs = (x - next(sides)) / next(sides)
    with torch.no_grad():
        own, theirs = checkpoint.network(x), network(inputs)
    assert theirs.std() > 0.01
    torch.testing.assert_close(own, theirs, rtol=1e-4, atol=1e-5)
