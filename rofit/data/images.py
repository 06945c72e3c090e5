"""A data set: training and test split of uint8 images with labels, a content digest.

The digest, not the file it came from, tells two data sets of one name apart: a run on
re-encoded images must never pass for a run on the original ones.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from rofit.errors import UserError

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Index = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Images:
    """Images with one label each.

    Attributes:
        pixels: uint8 (N, C, H, W), 0 to 255.
        labels: int64 (N,), class indices from 0.

    Raises:
        UserError: if dtype or shape of either array is another one.
    """

    pixels: Pixels
    labels: Labels

    def __post_init__(self) -> None:
        """Refuse arrays that later code would misread rather than reject."""
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 4:
            raise UserError(
                "pixels must be uint8 of shape (N, C, H, W), got "
                f"{self.pixels.dtype} {self.pixels.shape}; scale to 0..255 and reshape"
            )
        if self.labels.dtype != np.int64 or self.labels.shape != self.pixels.shape[:1]:
            raise UserError(
                f"labels must be int64 of shape ({len(self.pixels)},), one an image, "
                f"got {self.labels.dtype} {self.labels.shape}; convert them with astype"
            )

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def take(self, index: npt.NDArray[Any]) -> "Images":
        """Return the images at *index* (positions (M,) or mask (N,)), as a copy."""
        return Images(self.pixels[index], self.labels[index])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named data set as published: a training and a test part.

    Attributes:
        name: what the user types; part of run ids.
        shown_as: what results print; says so if the pixels are not the original ones.
        classes: class names, (K,), in the order of the labels.
        train: the published training part.
        test: the published test part.
    """

    name: str
    shown_as: str
    classes: tuple[str, ...]
    train: Images
    test: Images

    @cached_property
    def digest(self) -> str:
        """12 hex digits of SHA-256 over shapes, pixels and labels, and class names."""
        sha = hashlib.sha256(json.dumps(self.classes).encode())
        for split in (self.train, self.test):
            sha.update(repr(tuple(map(int, split.pixels.shape))).encode())
            sha.update(np.ascontiguousarray(split.pixels).data)
            sha.update(split.labels.astype("<i8").tobytes())
        return sha.hexdigest()[:12]

    @property
    def n_classes(self) -> int:
        """Number of classes K."""
        return len(self.classes)

    @property
    def channels(self) -> int:
        """Number of colour channels C."""
        return int(self.train.pixels.shape[1])

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.train.pixels.shape[2:]
        return int(height), int(width)

    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and standard deviation per channel of the training pixels.

        Both (C,), in units of the [0, 1] input; population standard deviation over all
        pixels of a channel together, 0 for a constant channel.
        """
        mean, std = [], []
        for channel in np.moveaxis(self.train.pixels, 1, 0):
            first = channel.mean(dtype=np.float64)
            # 255**2 fits uint16: float64 squares of CIFAR would take 1.2 GB.
            second = np.square(channel, dtype=np.uint16).mean(dtype=np.float64)
            mean.append(float(first) / 255)
            std.append(float(np.sqrt(max(second - first**2, 0.0))) / 255)
        return tuple(mean), tuple(std)
