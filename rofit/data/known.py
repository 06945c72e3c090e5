"""The data sets that rofit knows by name, and the files that each consists of."""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class RegisteredDataset:
    """Where a registered data set comes from.

    Attributes:
        size: number and shape of its images, in words.
        loader: its class in torchvision.datasets, None if scikit-learn ships it.
        files: what must lie under the data folder, unpacked.
        archives: what is fetched, or put there by hand, and unpacked to those files.
    """

    size: str
    loader: str | None = None
    files: tuple[str, ...] = ()
    archives: tuple[str, ...] = ()

    @property
    def manual_files(self) -> str:
        """What to put under the data folder by hand, in words."""
        if len(self.archives) > 2:
            return f"{self.archives[0]} and the other {len(self.archives) - 1} like it"
        return " and ".join(self.archives)

    def is_present(self, root: Path) -> bool:
        """Return whether every file is under *root* (or scikit-learn is installed)."""
        if self.loader is None:
            return find_spec("sklearn") is not None
        # Not Path.is_file, which raises where a folder is closed or a name too long.
        return all(os.path.isfile(root / file) for file in self.files)


_IDX = tuple(
    f"{split}-{kind}-ubyte"
    for split in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
)

DATASETS = {
    "digits": RegisteredDataset("1,297 + 500 images, 1x8x8, 10 classes"),
    "cifar10": RegisteredDataset(
        "50,000 + 10,000 images, 3x32x32, 10 classes",
        loader="CIFAR10",
        files=(
            *(f"cifar-10-batches-py/data_batch_{number}" for number in range(1, 6)),
            "cifar-10-batches-py/test_batch",
        ),
        archives=("cifar-10-python.tar.gz",),
    ),
    "cifar100": RegisteredDataset(
        "50,000 + 10,000 images, 3x32x32, 100 classes",
        loader="CIFAR100",
        files=("cifar-100-python/train", "cifar-100-python/test"),
        archives=("cifar-100-python.tar.gz",),
    ),
    "svhn": RegisteredDataset(
        "73,257 + 26,032 images, 3x32x32, 10 classes",
        loader="SVHN",
        files=("train_32x32.mat", "test_32x32.mat"),
        archives=("train_32x32.mat", "test_32x32.mat"),
    ),
    "mnist": RegisteredDataset(
        "60,000 + 10,000 images, 1x28x28, 10 classes",
        loader="MNIST",
        files=tuple(f"MNIST/raw/{name}" for name in _IDX),
        archives=tuple(f"MNIST/raw/{name}.gz" for name in _IDX),
    ),
    "fashion_mnist": RegisteredDataset(
        "60,000 + 10,000 images, 1x28x28, 10 classes",
        loader="FashionMNIST",
        files=tuple(f"FashionMNIST/raw/{name}" for name in _IDX),
        archives=tuple(f"FashionMNIST/raw/{name}.gz" for name in _IDX),
    ),
}
