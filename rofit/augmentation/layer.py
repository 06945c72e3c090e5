"""A layer of an augmentation: draws for every image of an epoch, applied to a batch.

Draws are tensors of the CPU with a row an image, functions of (seed, epoch); a batch
takes the rows of its images. So a run sees the same images whatever its batch size and
device, and one that goes on in the middle of an epoch has nothing to restore.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Draws = dict[str, Tensor]
Stream = Callable[[str], torch.Generator]  # the epoch's stream of a name
Function = Callable[[Tensor, Tensor], Tensor]  # images (B, C, H, W), strengths (B,)


class Layer(ABC):
    """One change of images."""

    @abstractmethod
    def draw(self, stream: Stream, n: int, size: tuple[int, int]) -> Draws:
        """Return what chance decides for *n* images of *size* (height, width)."""

    @abstractmethod
    def __call__(self, pixels: Tensor, draws: Draws) -> Tensor:
        """Return the images, uint8 (B, C, H, W), changed by the rows of *draws*."""


def below(stop: Tensor, generator: torch.Generator) -> Tensor:
    """Return integers from 0 to *stop* - 1, all as likely, in the shape of *stop*."""
    uniform = torch.rand(stop.shape, generator=generator, dtype=torch.float64)
    return (uniform * stop).long()


def changed(
    pixels: Tensor, functions: Sequence[Function], number: Tensor, strength: Tensor
) -> Tensor:
    """Return each image (B, C, H, W) changed by one of the functions.

    Args:
        pixels: uint8 (B, C, H, W).
        functions: what an image can be changed by.
        number: which of them, (B,) on the CPU; an image of -1 stays as it is.
        strength: of the change, (B,) on the CPU.
    """
    images = pixels.clone()
    for i, function in enumerate(functions):
        chosen = (number == i).nonzero().flatten()
        if len(chosen):
            index = chosen.to(pixels.device, non_blocking=True)
            images[index] = function(pixels[index], strength[chosen])
    return images
