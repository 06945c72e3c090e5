"""Two images in one: Mixup and CutMix. Their labels are mixed by the same shares.

An image's partner is any training image, itself changed by its own draws, and its share
is its own: so all is a function of (seed, epoch, image). Differs: in the sources the
partners are the batch's own images in another order, and a batch has one share.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from rofit.augmentation.erasing import rectangle
from rofit.augmentation.layer import Draws, Stream, below


class Mixing(ABC):
    """One image of an image and its partner."""

    @abstractmethod
    def draw(self, stream: Stream, n: int, size: tuple[int, int]) -> Draws:
        """Return ``partner`` and ``share`` (n,), and what else chance decides.

        The partners are a permutation of the *n* images of *size* (height, width). The
        share, float32 in [0, 1], is the image's own in its label; its partner's is the
        rest.
        """

    @abstractmethod
    def __call__(self, x: Tensor, other: Tensor, draws: Draws) -> Tensor:
        """Return images (B, C, H, W) and their partners, made one by rows of *draws*.

        In [0, 1] where both are.
        """


@dataclass(frozen=True)
class Mixup(Mixing):
    """``share x + (1 - share) other``, the share Beta(alpha, alpha).

    Source: Zhang et al. 2018; in adversarial training Rice et al. 2020, code at
    locuslab/robust_overfitting, whose attack climbs on the mixed loss as well.

    Attributes:
        alpha: both parameters of the Beta distribution, above 0.
    """

    alpha: float

    def draw(self, stream: Stream, n: int, size: tuple[int, int]) -> Draws:
        """Return ``partner`` and ``share``."""
        generator = stream("mixup")
        partner = torch.randperm(n, generator=generator)
        return {"partner": partner, "share": beta(self.alpha, n, generator).float()}

    def __call__(self, x: Tensor, other: Tensor, draws: Draws) -> Tensor:
        """Return the weighted sums."""
        share = draws["share"].to(x.device, non_blocking=True)[:, None, None, None]
        return share * x + (1 - share) * other


@dataclass(frozen=True)
class CutMix(Mixing):
    """A window of the partner pasted over the image; shares are those of the pixels.

    Source: Yun et al. 2019, code at clovaai/CutMix-PyTorch; the share of the pixels
    that are left, where a window is cut off at the border, as torchvision has it.

    Attributes:
        alpha: both parameters of the Beta distribution of a whole window's share.
        p: probability of a window.
    """

    alpha: float
    p: float

    def draw(self, stream: Stream, n: int, size: tuple[int, int]) -> Draws:
        """Return ``partner`` and ``share``; ``corner``, ``extent`` of the window."""
        generator = stream("cutmix")
        partner = torch.randperm(n, generator=generator)
        pasted = torch.rand(n, generator=generator) < self.p
        share = torch.where(pasted, beta(self.alpha, n, generator), 1.0)
        centre = below(torch.tensor(size).expand(n, 2), generator)
        corner, extent = window(share, centre, size)
        left = 1 - extent.prod(dim=1) / (size[0] * size[1])
        rectangles = {"corner": corner, "extent": extent}
        return {"partner": partner, "share": left.float()} | rectangles

    def __call__(self, x: Tensor, other: Tensor, draws: Draws) -> Tensor:
        """Return the images with the windows of their partners."""
        height, width = x.shape[-2:]
        inside = rectangle((height, width), draws["corner"], draws["extent"])
        return torch.where(inside.to(x.device, non_blocking=True), other, x)


def window(
    share: Tensor, centre: Tensor, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Return corner and extent (n, 2) of windows, cut off at the image's border.

    Args:
        share: of the image that a whole window leaves, (n,).
        centre: row and column, (n, 2).
        size: (height, width).
    """
    sides = torch.tensor(size)
    half = (0.5 * (1 - share).sqrt()[:, None] * sides).long()
    corner = (centre - half).clamp(min=0)
    return corner, torch.minimum(centre + half, sides) - corner


def beta(alpha: float, n: int, generator: torch.Generator) -> Tensor:
    """Return draws (n,) of Beta(alpha, alpha), in float64."""
    concentration = torch.full((2, n), alpha, dtype=torch.float64)
    # What torch.distributions.Gamma is made of: that takes no generator.
    one, other = torch._standard_gamma(concentration, generator=generator)
    return one / (one + other)
