"""Projected gradient descent: the one attack loop. FGSM is one step of it."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rofit.attacks.geometry import GEOMETRIES, into_ball
from rofit.errors import unknown
from rofit.modes import evaluating
from rofit.threat import ThreatModel

BN_MODES = ("eval", "train")
Inner = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class PGD:
    """Steepest ascent on ``inner`` inside the threat model's ball.

    Attributes:
        threat: norm, radius and valid range.
        steps: number of gradient steps; 0 returns the start.
        step_size: length of a step in input units, in the threat's norm.
        bn: ``eval`` attacks with BatchNorm's running statistics, ``train`` leaves the
            network in the mode it is in (batch statistics, and in train mode the
            running ones move with every step).

    Source: Madry et al. 2018, equation (2) of section 2.
    """

    threat: ThreatModel
    steps: int
    step_size: float
    bn: str = "eval"

    def __post_init__(self) -> None:
        """Check the BatchNorm mode: a wrong word must not mean the other one."""
        if self.bn not in BN_MODES:
            raise unknown("bn (BatchNorm mode)", self.bn, BN_MODES)

    @property
    def name(self) -> str:
        """``pgd<steps>``: how rows and tables call this attack."""
        return f"pgd{self.steps}"

    def __call__(
        self, model: nn.Module, x: Tensor, inner: Inner, start: Tensor
    ) -> Tensor:
        """Return adversarial examples, detached; no parameter's ``.grad`` is touched.

        Args:
            model: maps (B, C, H, W) in [lower, upper] to logits (B, K).
            x: clean inputs (B, C, H, W).
            inner: logits -> (B,), to be maximised. Summed, not averaged: the gradient
                of an example does not depend on its batch.
            start: initial perturbation, like x.
        """
        ascent = GEOMETRIES[self.threat.norm].ascent
        x_adv = into_ball(self.threat, x, x + start)
        with evaluating(model) if self.bn == "eval" else nullcontext():
            for _ in range(self.steps):
                x_adv.requires_grad_(True)
                with torch.enable_grad():
                    objective = inner(model(x_adv)).sum()
                (gradient,) = torch.autograd.grad(objective, x_adv)
                x_adv = x_adv.detach() + self.step_size * ascent(gradient)
                x_adv = into_ball(self.threat, x, x_adv)
        return x_adv
