"""Colour changes of a batch, each image by a strength of its own, as Pillow's.

All of bytes, and equal to Pillow's to the bit (tests/augmentation/test_color_shape.py,
tests/augmentation/test_autoaugment.py).
A strength of 1 changes nothing, of 0 takes all away, above 1 exaggerates. Images of one
channel are grey.
"""

from itertools import product

import torch
from torch import Tensor


def saturation(pixels: Tensor, strength: Tensor) -> Tensor:
    """Return the images between grey and themselves, *strength* (B,)."""
    return _blend(_grey(pixels), pixels, strength)


def brightness(pixels: Tensor, strength: Tensor) -> Tensor:
    """Return the images between black and themselves, *strength* (B,)."""
    return _blend(torch.zeros_like(pixels), pixels, strength)


def contrast(pixels: Tensor, strength: Tensor) -> Tensor:
    """Return the images between their mean grey and themselves, *strength* (B,)."""
    mean = _grey(pixels).double().mean(dim=(1, 2, 3), keepdim=True)
    return _blend((mean + 0.5).floor().expand(pixels.shape), pixels, strength)


def sharpness(pixels: Tensor, strength: Tensor) -> Tensor:
    """Return the images between a smoothed copy and themselves, *strength* (B,).

    The copy is smoothed by a 3 x 3 kernel of ones around a 5, its border left as it is.
    """
    height, width = pixels.shape[-2:]
    smooth = pixels.clone()
    if min(height, width) > 2:
        levels = pixels.int()
        total = 4 * levels[..., 1:-1, 1:-1]
        for row, column in product(range(3), range(3)):
            total += levels[..., row : height - 2 + row, column : width - 2 + column]
        smooth[..., 1:-1, 1:-1] = ((2 * total + 13) // 26).byte()  # rounded thirteenths
    return _blend(smooth, pixels, strength)


def autocontrast(pixels: Tensor, strength: Tensor) -> Tensor:
    """Return the images with each channel stretched to 0 to 255; no *strength*."""
    low, high = (end.double() for end in pixels.flatten(2).aminmax(dim=2, keepdim=True))
    scale = torch.full_like(high, 255) / (high - low)  # 255 / t is not rounded so
    level = torch.arange(256, device=pixels.device)
    table = (level * scale - low * scale).nan_to_num().trunc().clamp(0, 255)
    return _looked_up(pixels, torch.where(high > low, table, level))


def equalize(pixels: Tensor, strength: Tensor) -> Tensor:
    """Return the images with each channel's histogram made flat; no *strength*."""
    levels = pixels.flatten(2).long()
    counts = torch.zeros(*levels.shape[:2], 256, dtype=torch.long, device=pixels.device)
    counts.scatter_add_(2, levels, torch.ones_like(levels))
    highest = levels.amax(dim=2, keepdim=True)
    step = (levels.shape[2] - counts.gather(2, highest)) // 255
    before = counts.cumsum(dim=2) - counts
    table = ((step // 2 + before) // step.clamp(min=1)).clamp(max=255)
    level = torch.arange(256, device=pixels.device)
    return _looked_up(pixels, torch.where(step > 0, table, level))


def posterize(pixels: Tensor, bits: Tensor) -> Tensor:
    """Return the images with the highest *bits* (B,) of each byte, the others 0."""
    mask = (256 - 2 ** (8 - bits.long())).byte().to(pixels.device)
    return pixels & mask[:, None, None, None]


def solarize(pixels: Tensor, threshold: Tensor) -> Tensor:
    """Return the images with bytes from *threshold* (B,) on inverted."""
    kept = pixels < threshold.to(pixels.device)[:, None, None, None]
    return torch.where(kept, pixels, 255 - pixels)


def invert(pixels: Tensor, strength: Tensor) -> Tensor:
    """Return the negatives of the images; no *strength*."""
    return 255 - pixels


def _grey(pixels: Tensor) -> Tensor:
    """Return the luma of each pixel, (B, 1, H, W), of ITU-R 601-2, rounded."""
    if pixels.shape[1] != 3:
        return pixels[:, :1]
    weights = torch.tensor([19595, 38470, 7471], device=pixels.device)
    luma = (pixels.long() * weights[:, None, None]).sum(dim=1, keepdim=True)
    return ((luma + (1 << 15)) >> 16).byte()


def _blend(one: Tensor, other: Tensor, strength: Tensor) -> Tensor:
    """Return one + strength (other - one) in single precision, cut to bytes."""
    share = strength.float().to(other.device)[:, None, None, None]
    base = one.float()
    return (base + share * (other.float() - base)).clamp(0, 255).byte()


def _looked_up(pixels: Tensor, table: Tensor) -> Tensor:
    """Return table[b, c, value] for each pixel."""
    levels = pixels.flatten(2).long()
    return table.gather(2, levels).byte().view(pixels.shape)
