"""Pixels as a network takes them; the one file of this room that imports torch."""

import torch
from torch import Tensor

from rofit.errors import UserError


def to_unit(pixels: Tensor) -> Tensor:
    """Return float32 inputs in [0, 1].

    Args:
        pixels: uint8 (B, C, H, W), 0 to 255.

    Raises:
        UserError: if the pixels are not uint8.
    """
    check_bytes(pixels)
    return pixels.to(torch.float32).div_(255)


def check_bytes(pixels: Tensor) -> None:
    """Raise UserError unless *pixels* are uint8 (B, C, H, W)."""
    if pixels.dtype != torch.uint8 or pixels.ndim != 4:
        raise UserError(
            "pixels must be uint8 of shape (B, C, H, W), got "
            f"{pixels.dtype} {tuple(pixels.shape)}; augment before scaling to [0, 1]"
        )
