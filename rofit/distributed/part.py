"""A rank's part of a batch, and what is made of the parts: means, gradients, rows.

With one rank the part is the batch, and nothing is computed here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rofit.distributed.ranks import Ranks
from rofit.distributed.sums import add_up


@dataclass(frozen=True)
class Part:
    """Consecutive images of a batch.

    Attributes:
        ranks: this process among those of the run.
        n: images of the whole batch, at least one a rank.
    """

    ranks: Ranks
    n: int

    @property
    def rows(self) -> slice:
        """Which images of the batch these are; sizes differ by one at most."""
        rank, count = self.ranks.rank, self.ranks.count
        return slice(self.n * rank // count, self.n * (rank + 1) // count)

    def own(self, whole: Tensor) -> Tensor:
        """Return the part's rows of a tensor (n, ...)."""
        return whole if self.ranks.count == 1 else whole[self.rows]

    def whole(self, part: Tensor) -> Tensor:
        """Return the rows of all parts, (n, ...), the same bits on every rank.

        Without gradients. A sum with zeros: it takes parts of different sizes.
        """
        if self.ranks.count == 1:
            return part
        rows = part.new_zeros(self.n, *part.shape[1:])
        rows[self.rows] = part.detach()
        add_up(rows)
        return rows

    def mean(self, values: Tensor) -> Tensor:
        """Return the part's share of the batch's mean: what parts add up to it."""
        return values.mean() if self.ranks.count == 1 else values.sum() / self.n

    def total(self, share: Tensor) -> Tensor:
        """Return what the shares add up to, detached."""
        if self.ranks.count == 1:
            return share.detach()
        total = share.detach().clone()
        add_up(total)
        return total

    def gradients(self, values: Tensor, weights: list[Tensor]) -> Sequence[Tensor]:
        """Return the gradients of the batch's mean of *values*, the part's are (b,)."""
        gradients = torch.autograd.grad(self.mean(values), weights)
        if self.ranks.count > 1:
            _add_up_all(gradients)
        return gradients

    def add_up_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace the gradients of the part's share of the loss by the batch's."""
        if self.ranks.count > 1:
            _add_up_all([p.grad for p in parameters if p.grad is not None])

    def exchange(self, tables: Iterable[Tensor], index: Tensor) -> None:
        """Take over the rows of tables (N, ...) that the other parts have changed.

        Args:
            tables: a row an image of the training set.
            index: positions of the part's images, (b,), whose rows are given.
        """
        if self.ranks.count == 1:
            return
        whole_index = self.whole(index)
        for table in tables:
            table[whole_index] = self.whole(table[index])


def _add_up_all(tensors: Sequence[Tensor]) -> None:
    """Replace tensors by their sums over the ranks, in one message."""
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    add_up(flat)
    sizes = [tensor.numel() for tensor in tensors]
    for tensor, total in zip(tensors, flat.split(sizes), strict=True):
        tensor.copy_(total.view_as(tensor))
