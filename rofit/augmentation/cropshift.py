"""CropShift: a part of the image at a place of its own, the rest black.

Source: Li and Spratling, Data Augmentation Alone Can Improve Adversarial Training (ICLR
2023), and its code (TreeLLi/DA-Alone-Improves-AT), for images of 32 pixels. Differs:
images too small for that many rows have fewer cut off (ours).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rofit.augmentation.layer import Draws, Layer, Stream, below


@dataclass(frozen=True)
class CropShift(Layer):
    """Cut rows and columns off, and put what is left somewhere into a black image.

    Attributes:
        most: rows and columns that are cut off together, at most; the number is
            uniform from 0. Of images with no more pixels a side, as many as their side
            is of 32.
    """

    most: int

    def draw(self, stream: Stream, n: int, size: tuple[int, int]) -> Draws:
        """Return ``cut``, ``first`` and ``offset`` (n, 2), rows then columns.

        How many are cut off, the first that is kept, and where it comes to lie.
        """
        side = min(size)
        most = self.most if side > self.most else self.most * side // 32
        generator = stream("cropshift")
        strength = torch.randint(0, most + 1, (n,), generator=generator)
        columns = below(strength + 1, generator)
        cut = torch.stack([strength - columns, columns], dim=1)
        first, offset = (below(cut + 1, generator) for _ in range(2))
        return {"cut": cut, "first": first, "offset": offset}

    def __call__(self, pixels: Tensor, draws: Draws) -> Tensor:
        """Return the shifted parts."""
        rows, columns = (
            _sources(length, *(draws[name][:, axis] for name in draws))
            for axis, length in enumerate(pixels.shape[-2:])
        )
        kept = (rows >= 0)[:, :, None] & (columns >= 0)[:, None, :]
        rows, columns, kept = (
            index.to(pixels.device, non_blocking=True)
            for index in (rows.clamp(min=0), columns.clamp(min=0), kept)
        )
        images = torch.arange(len(pixels), device=pixels.device)[:, None, None]
        moved = pixels.movedim(1, -1)[images, rows[:, :, None], columns[:, None, :]]
        return (moved * kept[..., None]).movedim(-1, 1).contiguous()


def _sources(length: int, cut: Tensor, first: Tensor, offset: Tensor) -> Tensor:
    """Return which row (column) each of an image's comes from, (B, length), -1: none.

    The part has length - cut rows and begins at row *offset* of the new image.
    """
    position = torch.arange(length) - offset[:, None]
    inside = (position >= 0) & (position < (length - cut)[:, None])
    return torch.where(inside, position + first[:, None], -1)
