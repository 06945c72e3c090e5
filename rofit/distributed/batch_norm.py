"""BatchNorm whose statistics are those of the whole batch, on the CPU as well.

torch's SyncBatchNorm is for GPUs only. In eval mode there is nothing to exchange.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from rofit.distributed.ranks import Ranks
from rofit.distributed.sums import summed

Model = TypeVar("Model", bound=nn.Module)


class SynchronisedBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm over the parts of a batch that the ranks have, one message a pass."""

    ranks: Ranks

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised part (b, C, H, W); b is at least one.

        In train mode by the batch's mean and biased variance, through autograd; the
        running statistics move by the unbiased one, as torch's do.
        """
        if not self.training:
            return super().forward(x)
        mean, variance, n = _statistics(x.to(self.weight.dtype), self.ranks)
        self._move(mean.detach(), variance.detach() * n / (n - 1))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        y = x * scale[:, None, None] + shift[:, None, None]
        return y.to(x.dtype)

    def _move(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        with torch.no_grad():
            self.num_batches_tracked += 1
            momentum = self.momentum
            if momentum is None:  # the mean over batches
                momentum = 1 / int(self.num_batches_tracked)
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance, momentum)


def synchronised(model: Model, ranks: Ranks) -> Model:
    """Return *model*, changed in place: its BatchNorm takes whole batches."""
    if ranks.count > 1:
        for module in model.modules():
            if type(module) is nn.BatchNorm2d:
                module.__class__ = SynchronisedBatchNorm2d
                module.ranks = ranks  # type: ignore[assignment]
    return model


@contextmanager
def separated(*networks: nn.Module) -> Iterator[None]:
    """Run the block with torch's BatchNorm in networks and in copies made of them.

    For what one rank does alone, diagnostics that train a copy say: a message that the
    others do not answer would wait, or be taken for another.
    """
    layers = {
        module
        for network in networks
        for module in network.modules()
        if isinstance(module, SynchronisedBatchNorm2d)
    }
    for layer in layers:
        layer.__class__ = nn.BatchNorm2d  # type: ignore[assignment]
    try:
        yield
    finally:
        for layer in layers:
            layer.__class__ = SynchronisedBatchNorm2d


def _statistics(x: Tensor, ranks: Ranks) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean and biased variance of each channel, and over how many numbers.

    Put together from those of the parts, without differences of large squares (Chan,
    Golub and LeVeque 1979).
    """
    channels = x.shape[1]
    variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
    count = x.new_full((1,), x.numel() / channels)
    own = torch.cat([mean, variance, count])
    mask = x.new_zeros(ranks.count, 1)
    mask[ranks.rank] = 1
    means, variances, counts = summed(mask * own).split([channels, channels, 1], dim=1)
    n = counts.sum()
    mean = (counts * means).sum(dim=0) / n
    variance = (counts * (variances + (means - mean).square())).sum(dim=0) / n
    return mean, variance, n
