"""What the speed costs in numbers: the fast attack against the plain one.

Pixels are compared between compiled and eager fp32 only. Between precisions many signs
of tiny gradients differ without meaning anything, so a bf16 attack is judged by what it
does to the fp32 network.
"""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from rofit.attacks.pgd import PGD, Network
from rofit.bench.problem import Ours, bench_spec, digits_32
from rofit.losses import cross_entropy
from rofit.precision import PrecisionCopy
from rofit.training.engine import make_attack

Row = dict[str, Any]
_TRAINED = 12  # steps of FGSM training that make the compared network a real one
_GRADIENTS = 64  # images whose gradients are taken in float64 as well


def parity_rows(
    model: str, batch_size: int, *, engine: str, device: torch.device
) -> list[Row]:
    """Return each figure with the bound that PERFORMANCE's parity tests ask for."""
    spec = bench_spec(model, batch_size, precision="bf16", attack_steps=1, lr=0.05)
    trained = Ours(spec, digits_32(), device, engine)
    for _ in range(_TRAINED):
        trained.step()
    run, (batch, start) = trained.run, trained.held
    exact = PrecisionCopy(run.model, torch.float32).network
    eager, fast = (make_attack(spec, 10, kind) for kind in ("eager", engine))

    def pgd10(attack: PGD, network: nn.Module) -> Tensor:
        return attack(network, batch.x, cross_entropy, batch.y, start)

    plain, fused = pgd10(eager, exact), pgd10(fast, exact)
    rounded = pgd10(fast, run.engine.frozen)
    few = batch.x[:_GRADIENTS], batch.y[:_GRADIENTS]
    truth = gradient(deepcopy(exact).double(), few[0].double(), few[1])
    single = gradient(exact, *few)
    half = gradient(run.engine.frozen, *few)
    error = (single - truth).flatten(1).norm(dim=1) / truth.flatten(1).norm(dim=1)
    with torch.no_grad():
        judged = [exact(x) for x in (plain, rounded)]
    losses = [cross_entropy(logits, batch.y).mean() for logits in judged]
    hits = [(logits.argmax(1) == batch.y).double().mean() for logits in judged]
    figures = [
        ("fp32 gradient against fp64: median error", error.median(), 1e-5, "most"),
        ("fp32 gradient: % of images off by > 1e-4", _percent(error > 1e-4), 5, "most"),
        (
            f"fp32 PGD-10, {engine} against eager: % of pixels equal",
            _percent((fused - plain).abs() < 1e-6),
            99.9,
            "least",
        ),
        (
            "bf16 gradient against fp64: sign agreement %",
            _percent(half.sign() == truth.sign()),
            95,
            "least",
        ),
        (
            "PGD-10 made in bf16, judged in fp32: |loss difference|, nats",
            (losses[0] - losses[1]).abs(),
            2e-3,
            "most",
        ),
        (
            "PGD-10 made in bf16, judged in fp32: robust accuracy differs, points",
            100 * (hits[0] - hits[1]).abs(),
            100 / batch_size,
            "most",
        ),
    ]
    return [_row(model, *figure) for figure in figures]


def gradient(network: Network, x: Tensor, y: Tensor) -> Tensor:
    """Return the gradient of each image's cross entropy in the image, float64."""
    x = x.detach().requires_grad_(True)
    (grad,) = torch.autograd.grad(cross_entropy(network(x), y).sum(), x)
    return grad.double()


def _percent(claims: Tensor) -> Tensor:
    return 100 * claims.double().mean()


def _row(model: str, figure: str, value: Tensor, bound: float, kind: str) -> Row:
    number = value.item()
    holds = number <= bound if kind == "most" else number >= bound
    return {
        "model": model,
        "figure": figure,
        "seen": float(f"{number:.4g}"),
        "wanted": f"at {kind} {bound:.3g}",
        "holds": holds,
    }
