"""The random draws of one epoch: order, augmentation, starts of the attack.

A function of (seed, epoch) and, for the starts, of the step: any faster path that uses
the same plan trains on the same examples, and a run resumed in the middle of an epoch
has nothing else to restore.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from rofit.attacks import geometry
from rofit.attacks.geometry import Start
from rofit.augmentation.layer import Draws, Layer
from rofit.augmentation.mixing import Mixing
from rofit.seeding import generator
from rofit.settings.threat import ThreatModel


class EpochPlan:
    """What chance decides in one epoch over n training images.

    Attributes:
        order: (n,), the positions in the order in which they are seen.
    """

    def __init__(self, seed: int, epoch: int, n: int) -> None:
        """Draw the epoch numbered *epoch* (from 0)."""
        self.seed, self.epoch = seed, epoch
        self.order = torch.randperm(n, generator=generator(seed, "order", epoch))

    def augmented(
        self, layers: Iterable[Layer], n: int, size: tuple[int, int]
    ) -> list[Draws]:
        """Return the draws of each layer for *n* images of (height, width)."""
        return [layer.draw(self._stream, n, size) for layer in layers]

    def paired(self, mixing: Mixing, n: int, size: tuple[int, int]) -> Draws:
        """Return how *n* images of (height, width) are mixed, partners and shares."""
        return mixing.draw(self._stream, n, size)

    def start(
        self,
        step: int,
        threat: ThreatModel,
        shape: torch.Size,
        draw: Start = geometry.start,
    ) -> Tensor:
        """Return the attack's start of one step, (B, C, H, W) on the CPU."""
        return draw(threat, shape, generator(self.seed, "attack", self.epoch, step))

    def _stream(self, name: str) -> torch.Generator:
        return generator(self.seed, name, self.epoch)
