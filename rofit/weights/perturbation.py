"""Weights perturbed before the descent: the gradient is taken where the loss is worse.

    w' = w + gamma ||w|| d / ||d||,   d a direction in which the loss of the batch grows

The optimizer steps from w' by the gradient there; then the perturbation is subtracted.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from rofit.modes import keeping_statistics
from rofit.settings.spec import epoch_at

# (values (B,), weights) -> gradients of the values' mean, a tensor each.
Gradients = Callable[[Tensor, list[Tensor]], Sequence[Tensor]]

_TINY = 1e-20  # as in the sources: a gradient of zero moves nothing


class Perturbation:
    """Adversarial weight perturbation, and MLCAT's of small losses only.

    Matrices and kernels move (biases and BatchNorm do not), in train mode; running
    statistics see the descent's pass only. Nothing is left between steps.

    Source: Wu et al. 2020 (AWP), one ascent, each tensor by its own norm; Yu et al.
    2022 (MLCAT_WP), ten ascents, all by the common norm; their released code.
    """

    def __init__(
        self,
        model: nn.Module,
        gamma: float,
        *,
        start: float = 0.0,
        ascents: int = 1,
        below: float = math.inf,
        by_tensor: bool = True,
    ) -> None:
        """Set what moves, how far, and on which examples.

        Args:
            model: the network in training; changed in place.
            gamma: length of the perturbation over that of the weights.
            start: fraction of the run before which nothing is perturbed.
            ascents: gradients that are added up, each at the perturbed weights.
            below: only examples of smaller loss count in the ascent.
            by_tensor: lengths are those of each tensor, or of all together.
        """
        self.model, self.gamma, self.start = model, gamma, start
        self.ascents, self.below, self.by_tensor = ascents, below, by_tensor
        self.weights: list[Tensor] = [p for p in model.parameters() if p.ndim > 1]
        self.added: list[Tensor] = []
        self.active = False

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Switch on when the rule's part of the run has come (epoch from 0)."""
        self.active = epoch >= epoch_at(self.start, epochs)

    def add(self, losses: Callable[[], Tensor], gradients: Gradients) -> None:
        """Move the weights up the loss.

        Args:
            losses: the objective of the batch at the weights as they are, (B,).
            gradients: of the batch's mean, of which this process may have a part only.
        """
        if not self.active:
            return
        begin = [w.detach().clone() for w in self.weights]
        total = [torch.zeros_like(w) for w in begin]
        with keeping_statistics(self.model):
            for _ in range(self.ascents):
                loss = losses()
                small = torch.where(loss < self.below, loss, 0.0)
                torch._foreach_add_(total, list(gradients(small, self.weights)))
                self.added = self._scaled(total, begin)
                with torch.no_grad():
                    torch._foreach_copy_(self.weights, begin)
                    torch._foreach_add_(self.weights, self.added)

    def remove(self) -> None:
        """Subtract the perturbation, after the optimizer's step."""
        if self.added:
            with torch.no_grad():
                torch._foreach_sub_(self.weights, self.added)
            self.added = []

    def _scaled(self, direction: list[Tensor], weights: list[Tensor]) -> list[Tensor]:
        """Return gamma ||w|| d / ||d||, a tensor each."""
        sizes = torch.stack(torch._foreach_norm(weights))
        lengths = torch.stack(torch._foreach_norm(direction))
        if not self.by_tensor:
            sizes = sizes.norm().expand_as(sizes)
            lengths = lengths.norm().expand_as(lengths)
        scales = self.gamma * sizes / (lengths + _TINY)
        return list(torch._foreach_mul(direction, list(scales.unbind())))
