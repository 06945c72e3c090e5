"""Normalisation as a layer, so that it cannot be forgotten, doubled or lost.

Attacks and epsilon live in input units [0, 1]. A network that normalises by itself
needs no agreement between training, attack and evaluation, and its checkpoint carries
the constants that it was trained with.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rofit.errors import UserError


class Normalise(nn.Module):
    """Per-channel ``(x - mean) / std``, with the constants in the state dict.

    Attributes:
        mean: buffer (1, C, 1, 1), input units.
        std: buffer (1, C, 1, 1), input units.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Keep the constants, one value per channel; `normalisation` checks them."""
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return x (B, C, H, W) standardised, in the precision of x and the buffers.

        Autocast leaves this arithmetic alone, so inputs in fp32 are centred in fp32.
        """
        return (x - self.mean) / self.std


def normalisation(
    channels: int, mean: Sequence[float] | None, std: Sequence[float] | None
) -> nn.Module:
    """Return the first layer of a network: `Normalise`, or an identity if mean is None.

    The identity has no buffers, so loading a checkpoint that normalises into a network
    that does not (or the reverse) fails by its keys instead of changing the function.

    Args:
        channels: C, the number of values wanted in mean and std.
        mean: per channel, in [0, 1]; None for no normalisation.
        std: per channel, in (0, 1]; None exactly if mean is.

    Raises:
        UserError: if one of the two is missing, has another length or leaves its range.
    """
    if mean is None and std is None:
        return nn.Identity()
    if mean is None or std is None:
        given = "std" if mean is None else "mean"
        raise UserError(
            f"mean and std must be given together, got only {given}; "
            "give both, or neither for no normalisation"
        )
    for name, values in (("mean", mean), ("std", std)):
        if len(values) != channels:
            raise UserError(
                f"{name} must have one value per channel ({channels}), "
                f"got {len(values)}: {tuple(values)}"
            )
    # NaN fails both comparisons.
    if not all(0 <= value <= 1 for value in mean):
        raise UserError(
            f"mean must be in [0, 1] (input units), got {tuple(mean)}; "
            "divide constants for 0..255 by 255"
        )
    if not all(0 < value <= 1 for value in std):
        raise UserError(
            f"std must be in (0, 1] (input units), got {tuple(std)}; "
            "divide constants for 0..255 by 255"
        )
    return Normalise([float(value) for value in mean], [float(value) for value in std])
