"""PGD with its step compiled into one function; on a GPU, the attack as one graph.

Forward pass, input gradient and update become a few fused kernels around the
convolutions. It is PGD up to rounding: `rofit bench parity` and
tests/attacks/test_compiled_attack.py hold the two together.
"""

import logging
import warnings
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cache
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.random import fork_rng
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from rofit.attacks.captured import Captured
from rofit.attacks.pgd import PGD, Labels, Loss, Network, moved
from rofit.losses import cross_entropy
from rofit.settings.threat import ThreatModel

# Each network, loss and batch size is a graph; torch's limit of 8 is for loops.
_GRAPHS = 128


@dataclass(frozen=True)
class CompiledPGD(PGD):
    """PGD in batches of one size, the last filled up: one compilation is enough.

    The network must be in eval mode, so that an example does not depend on its batch.

    Attributes:
        batch: images a pass.
        captured: replays whole attacks as CUDA graphs. Not inside a training step,
            which is a graph itself.
    """

    batch: int = 128
    captured: bool = False
    # Never shared: a copy with other steps is another attack (`dataclasses.replace`).
    graphs: dict[Hashable, Captured] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def __call__(
        self, model: Network, x: Tensor, loss: Loss, labels: Labels, start: Tensor
    ) -> Tensor:
        """Return adversarial examples, detached, like `PGD`."""
        chunks = []
        for begin in range(0, len(x), self.batch):
            chunk = slice(begin, begin + self.batch)
            padded = tree_map(
                lambda rows, chunk=chunk: self._fill(rows[chunk]), (x, labels, start)
            )
            chunks.append(self._run(model, loss, *padded)[: len(x) - begin])
        return torch.cat(chunks)

    def _fill(self, rows: Tensor) -> Tensor:
        """Return *rows* repeated up to a whole batch, in the layout of convolutions."""
        if len(rows) < self.batch:
            rows = rows[torch.arange(self.batch, device=rows.device) % len(rows)]
        if rows.ndim != 4:
            return rows.contiguous()
        # A copy, because the stride of a single channel is otherwise any number, and
        # a compiled function is made for every stride.
        return torch.empty_like(rows, memory_format=torch.channels_last).copy_(rows)

    def _run(
        self, model: Network, loss: Loss, x: Tensor, labels: Labels, start: Tensor
    ) -> Tensor:
        if not self.captured:
            return self._steps(model, loss, x, labels, start)
        tensors, structure = tree_flatten((x, labels, start))
        key = (model, loss, *(tensor.shape for tensor in tensors))
        if key not in self.graphs:
            self.graphs[key] = Captured(
                lambda *inputs: self._steps(
                    model, loss, *tree_unflatten(inputs, structure)
                ),
                tensors,
            )
        return self.graphs[key](tensors)

    def _steps(
        self, model: Network, loss: Loss, x: Tensor, labels: Labels, start: Tensor
    ) -> Tensor:
        from torch._dynamo import config  # slow to import, so only when used

        # In the layout that a step returns: sums of one channel have another.
        x_adv = self._fill(self.first(x, start))
        step = _compiled_step()
        options = {"recompile_limit": _GRAPHS}
        if not hasattr(config, "recompile_limit"):  # before torch 2.6
            # The limit's name, and that a second network takes the graph of the first.
            options = {"cache_size_limit": _GRAPHS, "inline_inbuilt_nn_modules": True}
        with config.patch(options), torch.no_grad():
            for _ in range(self.climbs):
                x_adv = step(model, x, x_adv, loss, labels, self.threat, self.step_size)
        return x_adv


def climb(
    model: Network,
    x: Tensor,
    x_adv: Tensor,
    loss: Loss,
    labels: Labels,
    threat: ThreatModel,
    step_size: float,
) -> Tensor:
    """Return `rofit.attacks.pgd.ascend`'s step in the form that torch compiles.

    An input gradient by `torch.func.grad` compiles on every torch from 2.4 on, one by
    `torch.autograd.grad` on none without an option; eagerly it is the slower of the
    two. Call it without gradients, or those of the weights are compiled as well.
    """
    gradient = torch.func.grad(lambda z: loss(model(z), labels).sum())(x_adv)
    return moved(threat, x, x_adv, gradient, step_size)


def why_not(device: torch.device) -> str:
    """Return why attacks cannot be compiled for *device* here, or nothing."""
    # It warns of a CUDA compiler without a GPU, which does not matter here.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    # Only compiling shows whether compiling works: compiler, headers, a place to write.
    # A new code object, or torch would remember an earlier trial.
    trial = FunctionType(climb.__code__.replace(), globals())
    try:
        with warnings.catch_warnings(), torch.no_grad(), fork_rng(devices=[]):
            warnings.simplefilter("ignore")  # of torch's modules about each other
            network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2))
            x = torch.full((2, 1, 4, 4), 0.5, device=device)
            y = torch.tensor([0, 1], device=device)
            step = torch.compile(trial, dynamic=False, fullgraph=True)
            step(network.to(device), x, x, cross_entropy, y, ThreatModel(), 2 / 255)
    except Exception as error:  # of many classes, which change between releases
        return f"a trial compilation failed ({type(error).__name__})"
    return ""


@cache
def _compiled_step() -> Any:
    return torch.compile(climb, dynamic=False, fullgraph=True)
