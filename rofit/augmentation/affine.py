"""Shears, rotations and shifts of a batch, each image's its own, as Pillow's.

Images are uint8 (B, C, H, W). Nearest pixel, black outside, in Pillow's fixed-point
arithmetic of 16 bits: the result is Pillow's to the bit
(tests/augmentation/test_color_shape.py).
"""

import torch
from torch import Tensor

_ONE = 1 << 16
_Line = tuple[Tensor, Tensor, Tensor]


def shear_rows(pixels: Tensor, radians: Tensor) -> Tensor:
    """Return the images with rows moved sideways, by angles (B,), about the middle."""
    angle = radians.double()
    one, zero = torch.ones_like(angle), torch.zeros_like(angle)
    return _about_middle(pixels, one, angle.tan(), zero, one)


def shear_columns(pixels: Tensor, radians: Tensor) -> Tensor:
    """Return the images with columns moved up or down, by angles (B,)."""
    angle = radians.double()
    one, zero = torch.ones_like(angle), torch.zeros_like(angle)
    return _about_middle(pixels, one, zero, angle.tan(), one)


def shear_columns_from_left(pixels: Tensor, radians: Tensor) -> Tensor:
    """Return the same, the left edge staying where it is instead of the middle."""
    angle = radians.double()
    one, zero = torch.ones_like(angle), torch.zeros_like(angle)
    return _transformed(pixels, (one, zero, zero), (angle.tan(), one, zero))


def translate_columns(pixels: Tensor, shift: Tensor) -> Tensor:
    """Return the images moved to the right by whole numbers (B,) of pixels."""
    one, zero = torch.ones_like(shift).double(), torch.zeros_like(shift).double()
    return _transformed(pixels, (one, zero, -shift.double()), (zero, one, zero))


def translate_rows(pixels: Tensor, shift: Tensor) -> Tensor:
    """Return the images moved down by whole numbers (B,) of pixels."""
    one, zero = torch.ones_like(shift).double(), torch.zeros_like(shift).double()
    return _transformed(pixels, (one, zero, zero), (zero, one, -shift.double()))


def rotate(pixels: Tensor, degrees: Tensor) -> Tensor:
    """Return the images turned about their middle, anti-clockwise, by angles (B,)."""
    angle = -torch.deg2rad(degrees.double())
    cos, sin = (_rounded(value) for value in (angle.cos(), angle.sin()))
    return _about_middle(pixels, cos, sin, -sin, cos)


def _rounded(values: Tensor) -> Tensor:
    return values.mul(1e15).round().div(1e15)  # as Pillow does


def _about_middle(pixels: Tensor, a: Tensor, b: Tensor, d: Tensor, e: Tensor) -> Tensor:
    """Return images whose pixel (x, y) is the input's at (a x + b y, d x + e y).

    All of (B,), x and y counted from the image's middle; black from outside.
    """
    height, width = pixels.shape[-2:]
    c = a * (-width / 2) + b * (-height / 2) + width / 2
    f = d * (-width / 2) + e * (-height / 2) + height / 2
    return _transformed(pixels, (a, b, c), (d, e, f))


def _transformed(pixels: Tensor, column: _Line, row: _Line) -> Tensor:
    """Return images whose pixel (x, y) is the input's at two lines' values there.

    Of (a, b, c), the *column*, and (d, e, f), the *row*, each (B,), it is at
    (a x + b y + c, d x + e y + f), counted from the upper left corner; black from
    outside.
    """
    height, width = pixels.shape[-2:]
    columns, rows = (
        _fixed(p)[:, None, None] * torch.arange(width)
        + _fixed(q)[:, None, None] * torch.arange(height)[:, None]
        + _fixed(r + p * 0.5 + q * 0.5)[:, None, None]
        for p, q, r in (column, row)
    )
    columns, rows = columns >> 16, rows >> 16
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    source = (rows * width + columns).flatten(1)[:, None]
    source = source.to(pixels.device, non_blocking=True)
    inside = inside[:, None].to(pixels.device, non_blocking=True)
    moved = pixels.flatten(2).gather(2, source.expand(-1, pixels.shape[1], -1))
    return moved.view(pixels.shape) * inside


def _fixed(values: Tensor) -> Tensor:
    return (values * _ONE + 0.5).floor().long()
