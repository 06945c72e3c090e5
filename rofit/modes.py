"""Contexts that change a network's modes and put every one of them back."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """Run the block in eval mode: BatchNorm uses its running statistics.

    Each module's own flag is restored, so a model that is partly frozen stays so.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield model
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def keeping_statistics(model: nn.Module) -> Iterator[nn.Module]:
    """Run the block, then put back every buffer: BatchNorm's running statistics."""
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield model
    finally:
        for buffer, value in buffers:
            buffer.copy_(value)
