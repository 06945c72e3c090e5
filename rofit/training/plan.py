"""The random draws of one epoch: order, crops, flips, starts of the attack.

A function of (seed, epoch) and, for the starts, of the step: any faster path that uses
the same plan trains on the same examples, and a run resumed in the middle of an epoch
has nothing else to restore.
"""

import torch
from torch import Tensor

from rofit.attacks import geometry
from rofit.attacks.geometry import Start
from rofit.seeding import generator
from rofit.settings.threat import ThreatModel


class EpochPlan:
    """What chance decides in one epoch over n training images.

    Attributes:
        order: (n,), the positions in the order in which they are seen.
        shifts: (n, 2) in [0, 2 pad], row and column of each image's crop.
        flips: (n,) booleans, whether an image is mirrored.
    """

    def __init__(self, seed: int, epoch: int, n: int, *, pad: int) -> None:
        """Draw the epoch numbered *epoch* (from 0)."""
        self.seed, self.epoch = seed, epoch
        self.order = torch.randperm(n, generator=generator(seed, "order", epoch))
        crops = generator(seed, "crop", epoch)
        self.shifts = torch.randint(0, 2 * pad + 1, (n, 2), generator=crops)
        self.flips = torch.rand(n, generator=generator(seed, "flip", epoch)) < 0.5

    def start(
        self,
        step: int,
        threat: ThreatModel,
        shape: torch.Size,
        draw: Start = geometry.start,
    ) -> Tensor:
        """Return the attack's start of one step, (B, C, H, W) on the CPU."""
        return draw(threat, shape, generator(self.seed, "attack", self.epoch, step))
