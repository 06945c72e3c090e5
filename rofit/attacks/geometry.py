"""What differs between norms: where an attack starts, which way is up, where it ends.

The only code of rofit that compares a perturbation with epsilon. Perturbations are
(B, C, H, W) in input units; every function treats each image by itself.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from rofit.settings.threat import ThreatModel

_TINY = 1e-12
# (threat, shape (B, C, H, W), stream) -> a random perturbation, on the CPU.
Start = Callable[[ThreatModel, torch.Size, torch.Generator], Tensor]


class Geometry(Protocol):
    """What the PGD loop takes from a norm: start, ascent direction, projection."""

    def start(
        self, shape: torch.Size, epsilon: float, generator: torch.Generator
    ) -> Tensor:
        """Return a random perturbation in the ball, (B, C, H, W), on the CPU."""

    def ascent(self, gradient: Tensor) -> Tensor:
        """Return the direction of steepest ascent, of length one in this norm."""

    def project(self, delta: Tensor, epsilon: float) -> Tensor:
        """Return the nearest perturbation in the ball."""


class Linf:
    """The largest change of any pixel."""

    def start(
        self, shape: torch.Size, epsilon: float, generator: torch.Generator
    ) -> Tensor:
        """Uniform in the cube [-epsilon, epsilon]."""
        return torch.empty(shape).uniform_(-epsilon, epsilon, generator=generator)

    def ascent(self, gradient: Tensor) -> Tensor:
        """Sign of the gradient."""
        return gradient.sign()

    def project(self, delta: Tensor, epsilon: float) -> Tensor:
        """Clamp each pixel."""
        return delta.clamp(-epsilon, epsilon)


class L2:
    """The Euclidean length over all pixels and channels of an image."""

    def start(
        self, shape: torch.Size, epsilon: float, generator: torch.Generator
    ) -> Tensor:
        """Uniform in the ball: a random direction, radius epsilon * u^(1/d)."""
        direction = self.ascent(torch.randn(shape, generator=generator))
        d = math.prod(shape[1:])
        radius = torch.rand((shape[0], 1, 1, 1), generator=generator) ** (1 / d)
        return direction * (epsilon * radius)

    def ascent(self, gradient: Tensor) -> Tensor:
        """The gradient divided by its length, however short (zero where it is zero)."""
        largest = gradient.abs().amax(dim=(1, 2, 3), keepdim=True)
        scaled = gradient / torch.where(largest > 0, largest, 1.0)
        return scaled / _length(scaled).clamp_min(_TINY)

    def project(self, delta: Tensor, epsilon: float) -> Tensor:
        """Shorten to epsilon what is longer."""
        return delta * (epsilon / _length(delta).clamp_min(_TINY)).clamp_max(1.0)


def _length(delta: Tensor) -> Tensor:
    return torch.linalg.vector_norm(delta, dim=(1, 2, 3), keepdim=True)


GEOMETRIES: dict[str, Geometry] = {"linf": Linf(), "l2": L2()}


def start(threat: ThreatModel, shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Return an attack's start, uniform in the ball: (B, C, H, W), on the CPU.

    Drawn apart from the attack, so that any faster path can use the same draws.
    """
    return GEOMETRIES[threat.norm].start(shape, threat.epsilon, generator)


def gaussian_start(
    threat: ThreatModel, shape: torch.Size, generator: torch.Generator
) -> Tensor:
    """Return 0.001 N(0, 1), whatever the ball: (B, C, H, W), on the CPU.

    Source: the released code of TRADES (Zhang et al. 2019) and MART (Wang et al. 2020).
    """
    return 0.001 * torch.randn(shape, generator=generator)


@dataclass(frozen=True)
class Signs:
    """A start of plus or minus *reach* epsilon in each pixel.

    Source: the released code of NuAT (Sriramanan et al. 2021), with half of epsilon,
    and of FGSM-PGI (Jia et al. 2022), with all of it.
    """

    reach: float

    def __call__(
        self, threat: ThreatModel, shape: torch.Size, generator: torch.Generator
    ) -> Tensor:
        """Return the signs times their size, (B, C, H, W), on the CPU."""
        signs = torch.randint(0, 2, shape, generator=generator) * 2.0 - 1
        return self.reach * threat.epsilon * signs


def radius_start(
    threat: ThreatModel, shape: torch.Size, generator: torch.Generator
) -> Tensor:
    """Return a start of uniform direction and uniform length: (B, C, H, W), on the CPU.

    Denser at the middle of the l2 ball than `start` is. Source: the released code of
    Rice et al. 2020.
    """
    direction = GEOMETRIES["l2"].ascent(torch.randn(shape, generator=generator))
    radius = torch.rand((shape[0], 1, 1, 1), generator=generator)
    return direction * (threat.epsilon * radius)


# Starts in l2 where the method has none of its own, by the words of l2_start.
L2_STARTS: dict[str, Start] = {
    "ball": start,
    "radius": radius_start,
    "gaussian": gaussian_start,
}


def into_ball(threat: ThreatModel, x: Tensor, x_adv: Tensor) -> Tensor:
    """Return *x_adv* projected on the ball around *x* and on the valid range."""
    delta = GEOMETRIES[threat.norm].project(x_adv - x, threat.epsilon)
    return (x + delta).clamp(threat.lower, threat.upper)


def inside(threat: ThreatModel, x: Tensor, x_adv: Tensor) -> Tensor:
    """Return whether each *x_adv* is in the ball around *x*, to rounding: (B,)."""
    delta = x_adv - x
    projected = GEOMETRIES[threat.norm].project(
        delta, threat.epsilon * (1 + 1e-5) + 1e-7
    )
    within = torch.isclose(projected, delta, rtol=0, atol=1e-7).flatten(1).all(dim=1)
    return within & x_adv.isfinite().flatten(1).all(dim=1)
