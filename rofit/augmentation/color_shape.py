"""ColorShape: one change of colour or shape an image, of strength by chance.

Source: Li and Spratling, Data Augmentation Alone Can Improve Adversarial Training (ICLR
2023), and its code (TreeLLi/DA-Alone-Improves-AT): the colour-biased set of IDBH for
CIFAR-10, the shape-biased one of SVHN.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from rofit.augmentation import affine, color
from rofit.augmentation.layer import Draws, Function, Layer, Stream, changed


class Change(NamedTuple):
    """A change of an image, its probability, and the range of its strength.

    Attributes:
        p: probability.
        of: images (B, C, H, W) and strengths (B,) -> images.
        low: least strength: a factor, radians or degrees.
        high: largest.
        kind: ``uniform``, ``signed`` (either sign, as likely) or ``whole`` (signed too,
            whole numbers).
    """

    p: float
    of: Function
    low: float = 1
    high: float = 1
    kind: str = "uniform"


COLOR = (
    Change(0.125, color.saturation, 0.1, 1.9),
    Change(0.125, color.brightness, 0.5, 1.9),
    Change(0.125, color.contrast, 0.5, 1.9),
    Change(0.125, color.sharpness, 0.1, 1.9),
    Change(0.125, color.autocontrast),
    Change(0.125, color.equalize),
    Change(0.0625, affine.shear_rows, 0.05, 0.15, "signed"),
    Change(0.0625, affine.shear_columns, 0.05, 0.15, "signed"),
    Change(0.125, affine.rotate, 1, 10, "whole"),
)
SHAPE = (
    Change(0.08, color.saturation, 0.1, 1.9),
    Change(0.08, color.brightness, 0.5, 1.9),
    Change(0.04, color.contrast, 0.5, 1.9),
    Change(0.08, color.sharpness, 0.1, 1.9),
    Change(0.04, color.autocontrast),
    Change(0.08, color.equalize),
    Change(0.15, affine.shear_rows, 0.05, 0.35, "signed"),
    Change(0.15, affine.shear_columns, 0.05, 0.35, "signed"),
    Change(0.3, affine.rotate, 1, 30, "whole"),
)


@dataclass(frozen=True)
class ColorShape(Layer):
    """Change each image in one of several ways."""

    changes: tuple[Change, ...]

    def draw(self, stream: Stream, n: int, size: tuple[int, int]) -> Draws:
        """Return ``change``, its number (n,), and its ``strength`` (n,)."""
        generator = stream("color_shape")
        ends = torch.tensor([change.p for change in self.changes]).cumsum(0)
        roll = torch.rand(n, generator=generator)
        change = torch.bucketize(roll, ends).clamp(max=len(self.changes) - 1)
        low, high = (
            torch.tensor([getattr(c, end) for c in self.changes])[change]
            for end in ("low", "high")
        )
        whole, signed = (
            torch.tensor([c.kind in kinds for c in self.changes])[change]
            for kinds in (("whole",), ("whole", "signed"))
        )
        uniform = torch.rand(n, generator=generator)
        strength = low + uniform * (high - low)
        number = low + (uniform * (high - low + 1)).floor()
        strength = torch.where(whole, number, strength)
        sign = 1 - 2 * torch.randint(2, (n,), generator=generator)
        return {"change": change, "strength": torch.where(signed, sign, 1) * strength}

    def __call__(self, pixels: Tensor, draws: Draws) -> Tensor:
        """Return the changed images."""
        functions = [change.of for change in self.changes]
        return changed(pixels, functions, draws["change"], draws["strength"])
