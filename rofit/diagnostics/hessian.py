"""Sharpness: the steepest curvature of the robust loss at the network's weights."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from rofit.diagnostics.diagnostic import (
    Column,
    EpochDiagnostic,
    Measured,
    Schedule,
)
from rofit.diagnostics.view import EpochView
from rofit.losses import cross_entropy
from rofit.modes import evaluating
from rofit.seeding import generator

ITERATIONS = 20
TOLERANCE = 1e-3  # relative change of the estimate at which the iteration stops


class Hessian(EpochDiagnostic):
    """Largest eigenvalue of the robust loss's Hessian in the weights.

    The loss is the mean cross entropy with given classes on adversaries of the first
    128 training images, which stay where they are as the weights move; eval mode, fp32,
    all trained parameters, no weight decay. The curvature in weights before BatchNorm
    grows as they shrink (four times for halved ones) with no change of the function.

    Found by Lanczos' method with at most 20 products: not above the true value but for
    rounding, and within 0.01 % of it after 6 to 8 products on networks of the cpu
    scale. Power iteration on the same products can stand still at a wrong value where
    the smallest eigenvalue is about the opposite of the largest.

    Source: ours, by a textbook method.
    """

    columns: ClassVar[dict[str, Column]] = {
        "hessian_top_eigenvalue": Column(
            "nats / weight^2", "largest one of the mean robust loss's Hessian"
        )
    }
    cost: ClassVar[str] = (
        "twice a run up to 20 second derivatives of 128 images, three gradients "
        "each, and the attack on them"
    )
    when: ClassVar[Schedule] = Schedule(2)
    n: ClassVar[int] = 128

    def measure(self, view: EpochView) -> Measured:
        """Return the eigenvalue."""
        x = view.adversarial("train", self.n)
        y = view.splits["train"].y[: self.n]
        weights = [w for w in view.model.parameters() if w.requires_grad]
        stream = generator(view.spec.seed, "diagnostics", "hessian")
        start = [torch.randn(w.shape, generator=stream).to(w) for w in weights]
        with evaluating(view.model):
            loss = cross_entropy(view.model(x), y).mean()
            value = top_eigenvalue(loss, weights, start)
        row = {"split": "train", "attack": view.attack.name, "n": len(y)}
        return Measured([row | {"metric": "hessian_top_eigenvalue", "value": value}])


def top_eigenvalue(
    loss: Tensor, weights: Sequence[Tensor], start: Sequence[Tensor]
) -> float:
    """Return the largest eigenvalue of the loss's Hessian H.

    Lanczos' method: from v, H v, H^2 v, ... comes an orthonormal basis in which H is
    tridiagonal, T; the estimate is T's largest eigenvalue, the largest v^T H v in the
    space seen. It stops when that grows by less than TOLERANCE of itself, or after
    ITERATIONS products. The basis is orthogonalised against its last two vectors only:
    rounding then repeats eigenvalues of T and does not move the largest.

    Args:
        loss: scalar, with its graph, a function of *weights*.
        weights: what the second derivatives are taken in.
        start: first v, like *weights*, of any length above zero.

    Returns:
        The eigenvalue; NaN where a product with H overflows or is none.
    """
    gradients = torch.autograd.grad(loss, weights, create_graph=True)
    v, last = _scaled(start, 1 / _length(start)), list(start)
    diagonal: list[float] = []
    beside: list[float] = []
    value = 0.0
    for _ in range(ITERATIONS):
        product = torch.autograd.grad(
            gradients, weights, grad_outputs=v, retain_graph=True
        )
        diagonal.append(_dot(v, product))
        if not math.isfinite(diagonal[-1]):
            return math.nan
        before, value = value, _largest(diagonal, beside)
        if abs(value - before) <= TOLERANCE * abs(value):
            break
        rest = _minus(product, _scaled(v, diagonal[-1]))
        if beside:
            rest = _minus(rest, _scaled(last, beside[-1]))
        beside.append(_length(rest))
        if beside[-1] == 0:  # nothing of H is left outside the space
            break
        last, v = v, _scaled(rest, 1 / beside[-1])
    return value


def _largest(diagonal: list[float], beside: list[float]) -> float:
    """Return the largest eigenvalue of a symmetric tridiagonal matrix."""
    matrix = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    if beside:
        matrix += torch.diag(torch.tensor(beside, dtype=torch.float64), -1)
    return torch.linalg.eigvalsh(matrix)[-1].item()  # reads the lower triangle


def _dot(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    products = [(a * b).sum() for a, b in zip(one, other, strict=True)]
    return torch.stack(products).sum().item()


def _length(v: Sequence[Tensor]) -> float:
    return math.sqrt(_dot(v, v))


def _scaled(v: Sequence[Tensor], factor: float) -> list[Tensor]:
    return [part * factor for part in v]


def _minus(one: Sequence[Tensor], other: Sequence[Tensor]) -> list[Tensor]:
    return [a - b for a, b in zip(one, other, strict=True)]
