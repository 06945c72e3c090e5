"""Gradients of single examples: in the weights, in the logits, in the input.

By the chain rule grad_w l_i = J_i^T (p_i - t_i): the norm in the logits says how far
label and prediction are apart, whatever the network's Jacobian J_i makes of it.
"""

from collections.abc import Callable
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, vjp, vmap

from rofit.diagnostics.diagnostic import (
    Column,
    EpochDiagnostic,
    Measured,
    Row,
    Schedule,
)
from rofit.diagnostics.view import EpochView
from rofit.modes import evaluating

# By kind of device: bytes of gradients in the weights at a time, and examples at most:
# on a CPU more are slower.
BYTES = {"cpu": 2**29, "cuda": 2**32}
LARGEST_CHUNK = {"cpu": 32, "cuda": 256}


class SampleGradients(EpochDiagnostic):
    """Norms of the gradients of single examples' cross entropies.

    Means over the first 256 training images, clean and attacked with given classes;
    eval mode, fp32, all parameters, no weight decay. ``labels`` is ``given``, and
    ``assigned`` for the method's own labels as they stand, where those are others.

    Samples have a row an image, attack and kind of labels: ``position`` in the
    training part, ``attacked`` and ``assigned`` (0 or 1), and the four norms.

    Source: ours (docs/diagnostics.md, "Single gradients"); which norm the paper's
    Figure 1 shows is not known to us.
    """

    columns: ClassVar[dict[str, Column]] = {
        "sample_gradient_norm": Column("nats / weight", "mean ||grad_w l_i||_2"),
        "logit_gradient_norm": Column("in [0, sqrt 2]", "mean ||p_i - t_i||_2"),
        "input_gradient_l1": Column("nats / input unit", "mean ||grad_x l_i||_1"),
        "input_gradient_l2": Column("nats / input unit", "mean ||grad_x l_i||_2"),
    }
    cost: ClassVar[str] = (
        "five times a run single gradients of 256 images, clean and attacked, twice "
        "where labels are assigned, and the attack on them"
    )
    when: ClassVar[Schedule] = Schedule(5)
    n: ClassVar[int] = 256

    def measure(self, view: EpochView) -> Measured:
        """Return the means, and the norms of each image."""
        y = view.splits["train"].y[: self.n]
        position = torch.arange(len(y), device=y.device)
        assigned = view.labels(position)
        given = F.one_hot(y, assigned.shape[1]).to(assigned)
        kinds = [given] if torch.equal(assigned, given) else [given, assigned]
        rows: list[Row] = []
        samples = []
        for attack in view.inputs:
            images = view.clean if attack == "none" else view.adversarial
            by_kind = gradient_norms(view.model, images("train", self.n), kinds)
            for kind, norms in enumerate(by_kind):
                common = {"split": "train", "attack": attack, "n": len(y)}
                common |= {"labels": "assigned" if kind else "given"}
                rows += [
                    common | {"metric": name, "value": values.double().mean().item()}
                    for name, values in norms.items()
                ]
                flags = {"attacked": attack != "none", "assigned": kind}
                codes = {k: torch.full_like(position, v) for k, v in flags.items()}
                samples.append({"position": position} | codes | norms)
        return Measured(
            rows,
            {
                name: torch.cat([group[name] for group in samples])
                for name in samples[0]
            },
        )


def gradient_norms(
    model: nn.Module, x: Tensor, kinds: list[Tensor]
) -> list[dict[str, Tensor]]:
    """Return norms of the gradients of each example's cross entropy, in eval mode.

    Examples are vectorised by `torch.func`, as many at a time as keep their gradients
    in the weights within BYTES, though LARGEST_CHUNK at most.

    Args:
        model: all its parameters count, frozen or not; no ``.grad`` is touched.
        x: inputs (n, C, H, W) in [0, 1].
        kinds: one or more sets of labels t (n, K), rows summing to one, so that the
            gradient in the logits is p - t.

    Returns:
        For each kind the metrics of `SampleGradients`, (n,) each, before the mean.
    """
    weights = {name: p.detach() for name, p in model.named_parameters()}

    def logits_of(weights: dict[str, Tensor], one: Tensor) -> Tensor:
        return functional_call(model, weights, (one[None],))[0]

    def of_one(one: Tensor, labels: list[Tensor]) -> list[dict[str, Tensor]]:
        logits, pull_back, *_ = vjp(logits_of, weights, one)
        p = F.softmax(logits, dim=0)
        return [_norms(p - label.to(p), pull_back) for label in labels]

    size = sum(w.numel() * w.element_size() for w in weights.values())
    kind = x.device.type
    chunk = min(max(BYTES[kind] // size, 1), LARGEST_CHUNK[kind])
    with evaluating(model):
        return vmap(of_one, chunk_size=chunk)(x, kinds)


def _norms(
    residual: Tensor, pull_back: Callable[[Tensor], tuple[dict[str, Tensor], Tensor]]
) -> dict[str, Tensor]:
    """Return the norms of one example, from its gradient in the logits (K,)."""
    by_weights, by_input = pull_back(residual)
    squares = torch.stack([g.square().sum() for g in by_weights.values()])
    return {
        "sample_gradient_norm": squares.sum().sqrt(),
        "logit_gradient_norm": residual.square().sum().sqrt(),
        "input_gradient_l1": by_input.abs().sum(),
        "input_gradient_l2": by_input.square().sum().sqrt(),
    }
