"""Labels of images that are mixed with others: Mixup and CutMix.

soft_i = s_i q_i + (1 - s_i) q_j,   q the labels of the single images, j i's partner
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from rofit.labels.rule import LabelRule

Labels = Callable[[Tensor, Tensor], Tensor]  # positions, classes (B,) -> (B, K)


class Mixed(LabelRule):
    """Another rule's labels, one that training does not change, of two images each.

    The given class of an image, which steps count their hits by, stays its own.
    Source: Zhang et al. 2018; the cross entropy is linear in the label, so their sum of
    two losses is the loss of this one label.
    """

    def __init__(
        self, rule: LabelRule, y: Tensor, draw: Callable[[int], Mapping[str, Tensor]]
    ) -> None:
        """Begin with images that are not mixed.

        Args:
            rule: labels of single images, functions of their given class.
            y: given class of every training image (N,), on the training device.
            draw: epoch (counted from 0) -> ``partner``, positions (N,), and ``share``,
                the image's own part in [0, 1], (N,), those that its images are mixed
                by.
        """
        self.rule, self.y, self.draw = rule, y, draw
        # Of the epoch under way; changed in place, so that a captured step reads them.
        self.partner = torch.arange(len(y), device=y.device)
        self.share = torch.ones(len(y), device=y.device)

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Take the epoch's partners and shares."""
        drawn = self.draw(epoch)
        self.partner.copy_(drawn["partner"])
        self.share.copy_(drawn["share"])

    def current(self, index: Tensor, y: Tensor) -> Tensor:
        """Return the labels of the mixed images (B, K), each row summing to one."""
        return self.mix(self.rule.current, index, y)

    def unmixed(self, index: Tensor, y: Tensor) -> Tensor:
        """Return the labels of the images alone, (B, K)."""
        return self.rule.current(index, y)

    def mix(self, labels: Labels, index: Tensor, y: Tensor) -> Tensor:
        """Return any labels of single images, mixed as the images are, (B, K)."""
        partner, share = self.partner[index], self.share[index][:, None]
        other = labels(partner, self.y[partner])
        return share * labels(index, y) + (1 - share) * other
