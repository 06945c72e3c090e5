"""Loss landscapes: the loss around the weights, and the loss around the images.

Robust overfitting is said to go with a sharper valley in the weights; a jagged surface
around the images would say that the attack is hindered and not beaten.
"""

from collections.abc import Callable
from copy import deepcopy
from itertools import product
from typing import ClassVar

import torch
from torch import Tensor, nn

from rofit.attacks import geometry
from rofit.attacks.pgd import PGD
from rofit.diagnostics.diagnostic import (
    Column,
    EpochDiagnostic,
    Measured,
    Row,
    Schedule,
)
from rofit.diagnostics.view import EpochView
from rofit.losses import cross_entropy
from rofit.seeding import generator

STEPS = 5  # of the attack at each place
PLACES = [k / 4 for k in range(-4, 5)]  # a
OFFSETS = [k * 8 / 3 for k in range(-3, 4)]  # u and v, in 1/255


class Landscape(EpochDiagnostic):
    """Mean cross entropy around the weights and around the images.

    On the first 128 test images with their classes; a copy of the network in eval mode,
    fp32. What is drawn depends on the run's seed alone, so that epochs and methods of
    one seed are cut along the same directions.

        weight_loss(a)   = mean_i max_delta l_i(f_{w + a d}(x_i + delta)),  a in [-1, 1]
        input_loss(u, v) = mean_i l_i(f_w(x_i + u g_i + v r_i)),  u, v in [-8, 8] / 255

    d is Gaussian, each filter (row of a linear layer) scaled to the norm of the
    network's; biases and BatchNorm stay. The maximum is searched anew at every a, by
    5 steps of PGD with the evaluation's step size, from the same starts: rows say
    ``pgd5``. g_i is the sign of the input gradient at the clean image, r_i a random
    sign for each input value. Inputs are not cut to [0, 1]. Rows have ``a``, or ``u``
    and ``v`` in units of 1/255.

    Source: docs/diagnostics.md, "Loss landscapes", after AWP; sizes are ours.
    """

    columns: ClassVar[dict[str, Column]] = {
        "weight_loss": Column("nats", "mean robust loss at the weights w + a d"),
        "input_loss": Column("nats", "mean loss at the inputs x + u g + v r"),
    }
    cost: ClassVar[str] = (
        "twice a run 9 attacks of 5 steps on 128 images, and 49 passes over them"
    )
    when: ClassVar[Schedule] = Schedule(2)
    n: ClassVar[int] = 128

    def measure(self, view: EpochView) -> Measured:
        """Return a row a place."""
        x, y = view.clean("test", self.n), view.splits["test"].y[: self.n]
        common = {"split": "test", "n": len(y)}
        network = deepcopy(view.model).eval().requires_grad_(False)

        stream = generator(view.spec.seed, "diagnostics", "landscape", "signs")
        signs = 2 * torch.randint(2, x.shape, generator=stream).to(x) - 1
        clean = common | {"attack": "none", "metric": "input_loss"}
        rows: list[Row] = [
            clean | {"u": u, "v": v, "value": value}
            for (u, v), value in input_losses(network, x, y, signs).items()
        ]

        attack = PGD(view.attack.threat, STEPS, view.attack.step_size)
        stream = generator(view.spec.seed, "diagnostics", "landscape", "starts")
        start = geometry.start(attack.threat, x.shape, stream).to(x)
        stream = generator(view.spec.seed, "diagnostics", "landscape", "direction")
        way = filter_normalised(network, stream)

        def robust_loss() -> float:
            x_adv = attack(network, x, cross_entropy, y, start)
            return _mean_loss(network, x_adv, y)

        attacked = common | {"attack": attack.name, "metric": "weight_loss"}
        rows += [
            attacked | {"a": a, "value": value}
            for a, value in along(network, way, robust_loss).items()
        ]
        return Measured(rows)


def input_losses(
    network: nn.Module, x: Tensor, y: Tensor, signs: Tensor
) -> dict[tuple[float, float], float]:
    """Return (u, v) in 1/255 -> mean loss at ``x + u sign(grad_x l) + v signs``."""
    inputs = x.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(cross_entropy(network(inputs), y).sum(), inputs)
    up = gradient.sign()
    return {
        (u, v): _mean_loss(network, x + u / 255 * up + v / 255 * signs, y)
        for u, v in product(OFFSETS, OFFSETS)
    }


def filter_normalised(network: nn.Module, stream: torch.Generator) -> dict[str, Tensor]:
    """Return a Gaussian direction d by parameter name, each filter as long as its own.

        d_j <- d_j / ||d_j|| ||w_j||    for filter j, all w[j, ...] of a tensor

    Parameters of one dimension (biases, BatchNorm) are left out.
    """
    way = {}
    for name, weight in network.named_parameters():
        if weight.dim() > 1:
            draw = torch.randn(weight.shape, generator=stream).to(weight)
            way[name] = draw * (_filter_norms(weight) / _filter_norms(draw))
    return way


def along(
    network: nn.Module, way: dict[str, Tensor], measure: Callable[[], float]
) -> dict[float, float]:
    """Return a -> what is measured with the network's weights at w + a d.

    The network is moved and left at the last place: give a copy.
    """
    moving = {n: w for n, w in network.named_parameters() if n in way}
    centre = {name: weight.detach().clone() for name, weight in moving.items()}
    measured = {}
    for a in PLACES:
        with torch.no_grad():
            for name, weight in moving.items():
                weight.copy_(centre[name] + a * way[name])
        measured[a] = measure()
    return measured


def _mean_loss(network: nn.Module, x: Tensor, y: Tensor) -> float:
    with torch.no_grad():
        return cross_entropy(network(x), y).double().mean().item()


def _filter_norms(weight: Tensor) -> Tensor:
    """Return norms over all dimensions but the first, which they keep."""
    return torch.linalg.vector_norm(
        weight, dim=tuple(range(1, weight.dim())), keepdim=True
    )
