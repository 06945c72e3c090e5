"""Rectangles of images painted black: random erasing, and Cutout."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rofit.augmentation.layer import Draws, Layer, Stream, below

_ATTEMPTS = 10


@dataclass(frozen=True)
class RandomErasing(Layer):
    """Erase a rectangle of random area and shape.

    Source: Zhong et al. 2020, as torchvision's RandomErasing does it: of ten rectangles
    the first that is smaller than the image both ways is taken, none if none is.

    Attributes:
        p: probability.
        area: share of the image, uniform between the two.
        ratio: height by width, log-uniform between the two.
    """

    p: float
    area: tuple[float, float] = (0.02, 0.33)
    ratio: tuple[float, float] = (0.3, 3.3)

    def draw(self, stream: Stream, n: int, size: tuple[int, int]) -> Draws:
        """Return ``corner`` and ``extent`` (n, 2) of each rectangle, rows first."""
        generator = stream("erasing")
        erased = torch.rand(n, generator=generator) < self.p
        uniform = torch.rand(2, n, _ATTEMPTS, generator=generator, dtype=torch.float64)
        low, high = self.area
        area = size[0] * size[1] * (low + (high - low) * uniform[0])
        low, high = map(math.log, self.ratio)
        ratio = (low + (high - low) * uniform[1]).exp()
        sides = (area * ratio).sqrt(), (area / ratio).sqrt()
        extent = torch.stack([side.round().long() for side in sides], dim=-1)
        fits = (extent < torch.tensor(size)).all(dim=-1)
        first = fits.long().argmax(dim=1)
        extent = extent[torch.arange(n), first] * (erased & fits.any(dim=1))[:, None]
        corner = below(torch.tensor(size) - extent + 1, generator)
        return {"corner": corner, "extent": extent}

    def __call__(self, pixels: Tensor, draws: Draws) -> Tensor:
        """Return the images with black rectangles."""
        return black(pixels, **draws)


@dataclass(frozen=True)
class Cutout(Layer):
    """Paint a square black that lies inside the image.

    Source: the code of Rice et al. 2020; DeVries and Taylor's squares may stick out.

    Attributes:
        side: of the square, in pixels.
    """

    side: int

    def draw(self, stream: Stream, n: int, size: tuple[int, int]) -> Draws:
        """Return ``corner`` and ``extent`` (n, 2) of each square, rows first."""
        extent = torch.tensor(size).clamp(max=self.side).expand(n, 2)
        corner = below(torch.tensor(size) - extent + 1, stream("cutout"))
        return {"corner": corner, "extent": extent}

    def __call__(self, pixels: Tensor, draws: Draws) -> Tensor:
        """Return the images with black squares."""
        return black(pixels, **draws)


def rectangle(size: tuple[int, int], corner: Tensor, extent: Tensor) -> Tensor:
    """Return which pixels are inside of a rectangle an image, (B, 1, H, W).

    Args:
        size: (height, width) of the images.
        corner: first row and column, (B, 2).
        extent: rows and columns, (B, 2); 0 has nothing inside.
    """
    rows, columns = (
        (torch.arange(length) >= corner[:, axis, None])
        & (torch.arange(length) < (corner + extent)[:, axis, None])
        for axis, length in enumerate(size)
    )
    return rows[:, None, :, None] & columns[:, None, None, :]


def black(pixels: Tensor, corner: Tensor, extent: Tensor) -> Tensor:
    """Return the images with a black rectangle each.

    Args:
        pixels: (B, C, H, W).
        corner: first row and column, (B, 2).
        extent: rows and columns, (B, 2); none of an image with 0.
    """
    height, width = pixels.shape[-2:]
    erased = rectangle((height, width), corner, extent)
    return pixels * ~erased.to(pixels.device, non_blocking=True)
