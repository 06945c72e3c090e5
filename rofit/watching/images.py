"""The images of a watched run, on the device of its network."""

from typing import Any

import torch
from torch import Tensor

from rofit.adapters.inputs import Inputs
from rofit.adapters.labelled import read_labelled
from rofit.adapters.networks import digest
from rofit.training.batches import DeviceImages


class UnitImages(DeviceImages):
    """Images that are already (N, C, H, W) in [0, 1] on the training device."""

    def __init__(self, images: Any, classes: Any, inputs: Inputs, like: Tensor) -> None:
        """Read images and classes; see `rofit.adapters.labelled`."""
        self.pixels, self.y = read_labelled(images, classes, inputs, like)

    def unit(self) -> Tensor:
        """Return the images."""
        return self.pixels


def images_digest(images: UnitImages) -> str:
    """Return a name of images and classes, to 8 bits: the same for the same images."""
    pixels = (images.pixels * 255).round().to(torch.uint8)
    return digest([pixels, images.y])
