"""In which units a network takes its images: [0, 1], 0..255, or normalised outside.

Attacks and epsilon live in [0, 1]; a network of another program may not. What it takes
is a statement of its user, held against the images that it is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rofit.errors import UserError, quoted
from rofit.models.normalise import normalisation

# What ``inputs`` of `rofit.watch` and `rofit.evaluate` may be.
Statement = str | tuple[float | Sequence[float], float | Sequence[float]]
_ROUNDING = 1e-3  # of images that were normalised and are put back, in input units


@dataclass(frozen=True)
class Inputs:
    """A network takes ``(x - mean) / std`` of images x in [0, 1].

    Attributes:
        mean: one value, or one a channel, in input units.
        std: likewise.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    @classmethod
    def read(cls, statement: "Statement | Inputs") -> "Inputs":
        """Return what ``"unit"``, ``"bytes"`` or a pair (mean, std) stands for.

        Raises:
            UserError: it is none of these, or a constant out of its range.
        """
        if isinstance(statement, Inputs):
            return statement
        if statement == "unit":
            return cls()
        if statement == "bytes":
            return cls(std=(1 / 255,))
        try:
            mean, std = ([float(v) for v in _several(part)] for part in statement)
        except (TypeError, ValueError):
            raise UserError(
                'inputs must be "unit" (the network takes [0, 1]), "bytes" (0 to 255) '
                "or (mean, std), by which images in [0, 1] were normalised; got "
                f"{quoted(statement)}"
            ) from None
        normalisation(max(len(mean), len(std)), mean, std)  # refuses what is no such
        return cls(tuple(mean), tuple(std))

    @property
    def is_unit(self) -> bool:
        """Whether the network takes [0, 1]."""
        return self == Inputs()

    def to_network(self, x: Tensor) -> Tensor:
        """Return images (B, C, H, W) in [0, 1] as the network takes them."""
        mean, std = (self._constant(values, x) for values in (self.mean, self.std))
        return (x - mean) / std

    def to_unit(self, images: Tensor) -> Tensor:
        """Return what the network takes, floats (N, C, H, W), as images in [0, 1].

        Raises:
            UserError: they are out of range, or in [0, 1] already.
        """
        channels = images.shape[1]
        if len(self.mean) not in (1, channels):
            raise UserError(
                f"inputs has constants for {len(self.mean)} channels, and the images "
                f"have {channels}"
            )
        if self.is_unit:
            x = images
        else:
            self._refuse_unit(images.min().item(), images.max().item(), "images are")
            mean, std = (self._constant(v, images) for v in (self.mean, self.std))
            x = images * std + mean
        slack = 0 if self.is_unit else _ROUNDING
        if not -slack <= x.min() <= x.max() <= 1 + slack:
            raise UserError(
                f"images must be in {self}, got {images.min():.3g} to "
                f"{images.max():.3g}; put the normalisation into the model, or say "
                'what it takes: inputs="bytes" for 0 to 255, inputs=(mean, std) for '
                "images that are normalised outside, so that epsilon keeps its unit"
            )
        return x if self.is_unit else x.clamp(0, 1)

    def check_trained_on(self, low: float, high: float) -> None:
        """Raise UserError where a training step's inputs cannot be such images.

        Half the width of the range is allowed beyond it: erased pixels, for example.
        """
        lowest, highest = self._range()
        slack = (highest - lowest) / 2
        self._refuse_unit(low, high, "the network was trained on inputs")
        if not lowest - slack <= low <= high <= highest + slack:
            raise UserError(
                f"the network was trained on inputs from {low:.3g} to {high:.3g}, "
                f"which are not in {self}; say what it takes: inputs="
                '"unit", "bytes", or (mean, std)'
            )

    def _refuse_unit(self, low: float, high: float, what: str) -> None:
        """Raise UserError for inputs in [0, 1] where they would reach beyond it."""
        lowest, highest = self._range()
        if 0 <= low <= high <= 1 and (lowest < -0.1 or highest > 10):
            raise UserError(
                f"{what} in [0, 1] ({low:.3g} to {high:.3g}), not in {self}; give them "
                "as the network takes them, or as uint8"
            )

    def _range(self) -> tuple[float, float]:
        ends = [
            (end - mean) / std
            for end in (0.0, 1.0)
            for mean, std in zip(*self._paired(), strict=True)
        ]
        return min(ends), max(ends)

    def _paired(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        n = max(len(self.mean), len(self.std))
        longer = (v * n if len(v) == 1 else v for v in (self.mean, self.std))
        mean, std = longer
        return mean, std

    def __str__(self) -> str:
        """Return the range of what the network takes."""
        low, high = self._range()
        return f"[{low:.3g}, {high:.3g}]"

    @staticmethod
    def _constant(values: tuple[float, ...], like: Tensor) -> Tensor:
        dtype = like.dtype
        return torch.tensor(values, dtype=dtype, device=like.device).view(1, -1, 1, 1)


def _several(part: object) -> Sequence[float]:
    if isinstance(part, int | float):
        return [float(part)]
    return list(part)  # type: ignore[call-overload]
