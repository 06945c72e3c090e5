"""AutoAugment: the policy that was searched for on CIFAR-10, two changes an image.

Source: Cubuk et al. 2019, as torchvision's AutoAugment has it, policy CIFAR10: its
strengths, and every change equal to it on Pillow's images, to the bit
(tests/augmentation/test_autoaugment.py). Differs from it in nothing but the stream.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from rofit.augmentation import affine, color
from rofit.augmentation.layer import Draws, Function, Layer, Stream, changed

Size = tuple[int, int]


def _to(highest: float) -> Callable[[Size], Tensor]:
    """Return ten magnitudes from 0 on, in single precision as the source's."""
    return lambda size: torch.linspace(0, highest, 10)


def _none(size: Size) -> Tensor:
    return torch.zeros(10)


class Operation(NamedTuple):
    """A change and its ten strengths: around + sign * magnitude.

    Attributes:
        of: images and strengths -> images.
        magnitudes: (height, width) of the images -> (10,).
        signed: whether the sign is drawn; else it is +.
        around: 1 of factors, which change nothing at 1.
    """

    of: Function
    magnitudes: Callable[[Size], Tensor] = _none
    signed: bool = False
    around: float = 0.0


OPERATIONS = {
    "shear_y": Operation(
        affine.shear_columns_from_left,
        lambda size: torch.linspace(0, 0.3, 10).double().atan(),
        signed=True,
    ),
    "translate_x": Operation(
        affine.translate_columns,
        lambda size: torch.linspace(0, 150 / 331 * size[1], 10).trunc(),
        signed=True,
    ),
    "translate_y": Operation(
        affine.translate_rows,
        lambda size: torch.linspace(0, 150 / 331 * size[0], 10).trunc(),
        signed=True,
    ),
    "rotate": Operation(affine.rotate, _to(30), signed=True),
    "brightness": Operation(color.brightness, _to(0.9), signed=True, around=1),
    "saturation": Operation(color.saturation, _to(0.9), signed=True, around=1),
    "contrast": Operation(color.contrast, _to(0.9), signed=True, around=1),
    "sharpness": Operation(color.sharpness, _to(0.9), signed=True, around=1),
    "posterize": Operation(
        color.posterize, lambda size: 8 - (torch.arange(10) / (9 / 4)).round()
    ),
    "solarize": Operation(color.solarize, lambda size: torch.linspace(255, 0, 10)),
    "autocontrast": Operation(color.autocontrast),
    "equalize": Operation(color.equalize),
    "invert": Operation(color.invert),
}
_FUNCTIONS = tuple(operation.of for operation in OPERATIONS.values())

Step = tuple[str, float, int]  # operation, probability, which of its ten strengths
POLICY: tuple[tuple[Step, Step], ...] = (
    (("invert", 0.1, 0), ("contrast", 0.2, 6)),
    (("rotate", 0.7, 2), ("translate_x", 0.3, 9)),
    (("sharpness", 0.8, 1), ("sharpness", 0.9, 3)),
    (("shear_y", 0.5, 8), ("translate_y", 0.7, 9)),
    (("autocontrast", 0.5, 0), ("equalize", 0.9, 0)),
    (("shear_y", 0.2, 7), ("posterize", 0.3, 7)),
    (("saturation", 0.4, 3), ("brightness", 0.6, 7)),
    (("sharpness", 0.3, 9), ("brightness", 0.7, 9)),
    (("equalize", 0.6, 0), ("equalize", 0.5, 0)),
    (("contrast", 0.6, 7), ("sharpness", 0.6, 5)),
    (("saturation", 0.7, 7), ("translate_x", 0.5, 8)),
    (("equalize", 0.3, 0), ("autocontrast", 0.4, 0)),
    (("translate_y", 0.4, 3), ("sharpness", 0.2, 6)),
    (("brightness", 0.9, 6), ("saturation", 0.2, 8)),
    (("solarize", 0.5, 2), ("invert", 0.0, 0)),
    (("equalize", 0.2, 0), ("autocontrast", 0.6, 0)),
    (("equalize", 0.2, 0), ("equalize", 0.6, 0)),
    (("saturation", 0.9, 9), ("equalize", 0.6, 0)),
    (("autocontrast", 0.8, 0), ("solarize", 0.2, 8)),
    (("brightness", 0.1, 3), ("saturation", 0.7, 0)),
    (("solarize", 0.4, 5), ("autocontrast", 0.9, 0)),
    (("translate_y", 0.9, 9), ("translate_y", 0.7, 9)),
    (("autocontrast", 0.9, 0), ("solarize", 0.8, 3)),
    (("equalize", 0.8, 0), ("invert", 0.1, 0)),
    (("translate_y", 0.7, 9), ("autocontrast", 0.9, 0)),
)


class AutoAugment(Layer):
    """Change each image by one of the policy's 25 pairs, each step by its chance."""

    def draw(self, stream: Stream, n: int, size: Size) -> Draws:
        """Return ``operation``, its number or -1, and its ``strength``, both (n, 2)."""
        generator = stream("autoaugment")
        pair = torch.randint(len(POLICY), (n,), generator=generator)
        roll = torch.rand(n, 2, generator=generator)
        sign = 2 * torch.randint(2, (n, 2), generator=generator) - 1
        return drawn(pair, roll, sign, size)

    def __call__(self, pixels: Tensor, draws: Draws) -> Tensor:
        """Return the images after both steps."""
        for step in range(2):
            operation, strength = (draws[name][:, step] for name in draws)
            pixels = changed(pixels, _FUNCTIONS, operation, strength)
        return pixels


def drawn(pair: Tensor, roll: Tensor, sign: Tensor, size: Size) -> Draws:
    """Return the draws of `AutoAugment` that chance decides so.

    Args:
        pair: which of the policy's pairs, (n,).
        roll: uniform in [0, 1), (n, 2); a step is made up to its probability.
        sign: 1 or -1, (n, 2); heeded where the operation is signed.
        size: (height, width) of the images.
    """
    names = tuple(OPERATIONS)
    number = torch.tensor([[names.index(step[0]) for step in row] for row in POLICY])
    p = torch.tensor([[step[1] for step in row] for row in POLICY])
    level = torch.tensor([[step[2] for step in row] for row in POLICY])
    magnitudes = torch.stack(
        [operation.magnitudes(size).double() for operation in OPERATIONS.values()]
    )
    operation = number[pair]
    signed, around = (
        torch.tensor([getattr(o, name) for o in OPERATIONS.values()])[operation]
        for name in ("signed", "around")
    )
    magnitude = magnitudes[operation, level[pair]]
    strength = around.double() + torch.where(signed, sign, 1) * magnitude
    return {
        "operation": torch.where(roll <= p[pair], operation, -1),
        "strength": strength,
    }
