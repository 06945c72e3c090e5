"""Averages of the weights over training, and the network that has them."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from rofit.spec import epoch_at


class MovingAverage:
    """Exponential moving average of the weights, one update a step.

    BatchNorm's running statistics are averaged likewise, counters copied.

    Source: ADR's code (decay 0.995; all state averaged); WOT's baselines use 0.999.

    Attributes:
        network: has the average, in eval mode.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Begin at the weights of *model*; decay in [0, 1)."""
        self.network, self.decay = copy.deepcopy(model).eval(), decay

    def after_step(self, model: nn.Module) -> None:
        """Move by ``e <- decay e + (1 - decay) w``."""
        _blend(self.network, model, 1 - self.decay)

    def after_epoch(
        self,
        model: nn.Module,
        epoch: int,
        epochs: int,
        inputs: Callable[[], Iterable[Tensor]],
    ) -> None:
        """Nothing: every step was seen."""

    def state_dict(self) -> dict[str, Any]:
        """Return nothing besides the network's weights."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take nothing."""


class EqualAverage:
    """Stochastic weight averaging: the mean over epochs from a fraction of the run on.

    BatchNorm's statistics are estimated anew on the clean, augmented training images
    after every update. Until the first the network is a copy of the one in training.

    Source: Izmailov et al. 2018; start as in Chen et al. 2021.
    Differs: every batch counts alike in the new statistics (PyTorch's `update_bn`),
    where those codes weigh a shorter last batch less.

    Attributes:
        network: has the average, in eval mode.
    """

    def __init__(self, model: nn.Module, start: float) -> None:
        """Begin at the weights of *model*; start is a fraction of the run."""
        self.network, self.start, self.n = copy.deepcopy(model).eval(), start, 0

    def after_step(self, model: nn.Module) -> None:
        """Nothing: epochs are averaged."""

    def after_epoch(
        self,
        model: nn.Module,
        epoch: int,
        epochs: int,
        inputs: Callable[[], Iterable[Tensor]],
    ) -> None:
        """Average the weights after an epoch.

        Args:
            model: the network in training.
            epoch: the one just done, counted from 0.
            epochs: of the run.
            inputs: yields the epoch's clean batches (B, C, H, W).
        """
        if epoch < epoch_at(self.start, epochs):
            self.network.load_state_dict(model.state_dict())
            return
        self.n += 1
        _blend(self.network, model, 1 / self.n)
        update_bn(inputs(), self.network)
        self.network.eval()

    def state_dict(self) -> dict[str, Any]:
        """Return how many epochs are averaged."""
        return {"n": self.n}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take it back."""
        self.n = state["n"]


Average = MovingAverage | EqualAverage


@torch.no_grad()
def _blend(mine: nn.Module, theirs: nn.Module, share: float) -> None:
    """Move the state of one network towards another's by *share*; counters copied."""
    pairs = list(
        zip(mine.state_dict().values(), theirs.state_dict().values(), strict=True)
    )
    floats = [(a, b) for a, b in pairs if a.is_floating_point()]
    torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], share)
    for a, b in pairs:
        if not a.is_floating_point():
            a.copy_(b)
