"""Projected gradient descent: the one attack loop. FGSM is one step of it."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from rofit.attacks.geometry import GEOMETRIES, into_ball
from rofit.errors import unknown
from rofit.modes import evaluating
from rofit.settings.threat import ThreatModel

BN_MODES = ("eval", "train")
Network = Callable[[Tensor], Tensor]
# What a loss compares logits with: a tensor or a NamedTuple of some, a row an example.
Labels = Tensor | tuple[Tensor, ...]
# (logits (B, K), its kind of labels) -> (B,), to be maximised; a function with a name,
# so that a compiled attack knows it again.
Loss = Callable[[Tensor, Any], Tensor]


@dataclass(frozen=True)
class PGD:
    """Steepest ascent on a loss inside the threat model's ball.

    Attributes:
        threat: norm, radius and valid range.
        steps: number of gradient steps; 0 returns the start.
        step_size: length of a step in input units, in the threat's norm.
        bn: ``eval`` attacks with BatchNorm's running statistics, ``train`` leaves the
            network in the mode it is in (batch statistics, and in train mode the
            running ones move with every step).
        start_clamp: whether x + start is brought into the ball and the valid range
            before the first step, or after it only, as later points are.

    Source: Madry et al. 2018, equation (2) of section 2.
    """

    threat: ThreatModel
    steps: int
    step_size: float
    bn: str = "eval"
    start_clamp: bool = True

    def __post_init__(self) -> None:
        """Check the BatchNorm mode: a wrong word must not mean the other one."""
        if self.bn not in BN_MODES:
            raise unknown("bn (BatchNorm mode)", self.bn, BN_MODES)

    @property
    def name(self) -> str:
        """``pgd<steps>``: how rows and tables call this attack."""
        return f"pgd{self.steps}"

    @property
    def climbs(self) -> int:
        """Steps that are made: none where the ball is a point."""
        return self.steps if self.threat.epsilon > 0 else 0

    def __call__(
        self, model: Network, x: Tensor, loss: Loss, labels: Labels, start: Tensor
    ) -> Tensor:
        """Return adversarial examples, detached; no parameter's ``.grad`` is touched.

        Args:
            model: maps (B, C, H, W) in [lower, upper] to logits (B, K); a module if
                ``bn`` is eval.
            x: clean inputs (B, C, H, W).
            loss: to be maximised. Summed, not averaged: the gradient of an example
                does not depend on its batch.
            labels: what ``loss`` compares with, a row an example.
            start: initial perturbation, like x.
        """
        x_adv = self.first(x, start)
        with evaluating(model) if self._evaluates(model) else nullcontext():
            for _ in range(self.climbs):
                x_adv = ascend(
                    model, x, x_adv, loss, labels, self.threat, self.step_size
                )
        return x_adv

    def first(self, x: Tensor, start: Tensor) -> Tensor:
        """Return where the attack begins, (B, C, H, W); inside if it makes no step."""
        if self.climbs and not self.start_clamp:
            return x + start
        return into_ball(self.threat, x, x + start)

    def _evaluates(self, model: Network) -> TypeGuard[nn.Module]:
        return self.bn == "eval"


def ascend(
    model: Network,
    x: Tensor,
    x_adv: Tensor,
    loss: Loss,
    labels: Labels,
    threat: ThreatModel,
    step_size: float,
) -> Tensor:
    """Return *x_adv* (B, C, H, W) after one step up *loss*, projected and detached."""
    gradient = input_gradient(model, x_adv, loss, labels)
    return moved(threat, x, x_adv.detach(), gradient, step_size)


def input_gradient(model: Network, x: Tensor, loss: Loss, labels: Labels) -> Tensor:
    """Return the gradient of the summed loss in *x*, like it; no ``.grad`` is touched.

    The network is in the mode that it is in.
    """
    x = x.detach().requires_grad_(True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(loss(model(x), labels).sum(), x)
    return gradient


def moved(
    threat: ThreatModel, x: Tensor, x_adv: Tensor, gradient: Tensor, step_size: float
) -> Tensor:
    """Return *x_adv* a step further along *gradient*, projected; all (B, C, H, W)."""
    direction = GEOMETRIES[threat.norm].ascent(gradient)
    return into_ball(threat, x, x_adv + step_size * direction)
