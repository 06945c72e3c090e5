"""Averages of the weights over training, and the network that has them."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from rofit.precision import InPrecision
from rofit.settings.spec import epoch_at


class WeightAverage:
    """A network that has an average of another's weights, in eval mode.

    An average overrides the moment at which it moves: after a step or an epoch.

    Attributes:
        network: has the average.
    """

    def __init__(self, model: nn.Module) -> None:
        """Begin at the weights of *model*."""
        self.network = copy.deepcopy(model).eval()

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Prepare for an epoch (counted from 0); here nothing."""

    def after_step(self, model: nn.Module) -> None:
        """Update the average after the optimizer's step; here nothing."""

    def after_epoch(
        self,
        model: nn.Module,
        epoch: int,
        epochs: int,
        inputs: Callable[[], Iterable[Tensor]],
    ) -> None:
        """Update the average after an epoch; here nothing.

        Args:
            model: the network in training.
            epoch: the one just done, counted from 0.
            epochs: of the run.
            inputs: yields the epoch's clean batches (B, C, H, W).
        """

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must keep besides the network's weights."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""


class MovingAverage(WeightAverage):
    """Exponential moving average of the weights, one update a step.

    BatchNorm's running statistics are averaged likewise, counters copied. Until its
    part of the run has come the network is a copy of the one in training.

    Source: ADR's code (decay 0.995; all state averaged); WOT's baselines use 0.999;
    ReBAT's code, which begins late.
    """

    def __init__(self, model: nn.Module, decay: float, start: float = 0.0) -> None:
        """Begin at the weights of *model*.

        Args:
            model: the network in training.
            decay: in [0, 1].
            start: fraction of the run at which averaging begins.
        """
        super().__init__(model)
        self.decay, self.start = decay, start
        self.active = start == 0

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Begin to average when the time has come (epoch from 0)."""
        self.active = epoch >= epoch_at(self.start, epochs)

    def after_step(self, model: nn.Module) -> None:
        """Move by ``e <- decay e + (1 - decay) w``."""
        _blend(self.network, model, 1 - self.decay if self.active else 1.0)


class EqualAverage(WeightAverage):
    """Stochastic weight averaging: the mean over epochs from a fraction of the run on.

    BatchNorm's statistics are estimated anew on the clean, augmented training images
    after every update. Until the first the network is a copy of the one in training.

    Source: Izmailov et al. 2018; start as in Chen et al. 2021.
    Differs: every batch counts alike in the new statistics (PyTorch's `update_bn`),
    where those codes weigh a shorter last batch less.
    """

    def __init__(self, model: nn.Module, start: float, precision: str = "fp32") -> None:
        """Begin at the weights of *model*.

        Args:
            model: the network in training.
            start: fraction of the run at which averaging begins.
            precision: of the passes that estimate the statistics, a field of RunSpec.
        """
        super().__init__(model)
        self.start, self.n = start, 0
        self._passes = self.network
        if precision == "bf16":
            self._passes = InPrecision(self.network, torch.bfloat16)

    def after_epoch(
        self,
        model: nn.Module,
        epoch: int,
        epochs: int,
        inputs: Callable[[], Iterable[Tensor]],
    ) -> None:
        """Average the weights, and estimate the statistics anew."""
        if epoch < epoch_at(self.start, epochs):
            self.network.load_state_dict(model.state_dict())
            return
        self.n += 1
        _blend(self.network, model, 1 / self.n)
        update_bn(inputs(), self._passes)
        self.network.eval()

    def state_dict(self) -> dict[str, Any]:
        """Return how many epochs are averaged."""
        return {"n": self.n}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore how many epochs are averaged."""
        self.n = state["n"]


@torch.no_grad()
def _blend(average: nn.Module, model: nn.Module, share: float) -> None:
    """Move the state of *average* towards that of *model* by *share*; copy counters."""
    pairs = list(
        zip(average.state_dict().values(), model.state_dict().values(), strict=True)
    )
    floats = [(a, b) for a, b in pairs if a.is_floating_point()]
    torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], share)
    for a, b in pairs:
        if not a.is_floating_point():
            a.copy_(b)
