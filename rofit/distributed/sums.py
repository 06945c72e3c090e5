"""Sums over all ranks, also through autograd."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from rofit.errors import RankLost, is_out_of_memory


def add_up(tensor: Tensor) -> None:
    """Replace a tensor by its sum over the ranks, the same bits on each.

    Raises:
        RankLost: another process has ended.
    """
    with communicating():
        dist.all_reduce(tensor)


@contextmanager
def communicating() -> Iterator[None]:
    """Say of what fails in the block that another process is gone: torch says how."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        raise RankLost(
            "another process of this run has ended, and this one with it; unless that "
            "one says why, the same command goes on from here"
        ) from error


class _Sum(torch.autograd.Function):
    """A sum over ranks; each of them has a loss, and their sum is differentiated."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        add_up(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        add_up(total)
        return total


def summed(tensor: Tensor) -> Tensor:
    """Return the sum of the ranks' tensors, with gradients of the sum of their losses.

    All ranks must go through it, forward and backward, in the same order.
    """
    total: Tensor = _Sum.apply(tensor)
    return total
