"""PGD with its step compiled into one function; on a GPU, the attack as one graph.

Forward pass, input gradient and update become a few fused kernels around the
convolutions. It is PGD up to rounding: `rofit bench` and tests/test_engine.py hold the
two together.
"""

import logging
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cache
from types import FunctionType
from typing import Any

import torch
from torch import Tensor

from rofit.attacks.captured import Captured
from rofit.attacks.geometry import into_ball
from rofit.attacks.pgd import PGD, Loss, Network, ascend

# Reading a gradient inside a compiled function is an option of torch 2.11 and later.
# Each network, loss and batch size is a graph; torch's limit of 8 is for loops.
_OPTIONS = {"trace_autograd_ops": True, "recompile_limit": 128}


@dataclass(frozen=True)
class CompiledPGD(PGD):
    """PGD in batches of one size, the last filled up: one compilation is enough.

    The network must be in eval mode, so that an example does not depend on its batch.

    Attributes:
        batch: images a pass.
    """

    batch: int = 128
    graphs: dict[Hashable, Captured] = field(
        default_factory=dict, compare=False, repr=False
    )

    def __call__(
        self, model: Network, x: Tensor, loss: Loss, target: Tensor, start: Tensor
    ) -> Tensor:
        """Return adversarial examples, detached, like `PGD`."""
        parts = []
        for begin in range(0, len(x), self.batch):
            part = slice(begin, begin + self.batch)
            filled = [self._fill(each[part]) for each in (x, target, start)]
            parts.append(self._run(model, loss, *filled)[: len(x) - begin])
        return torch.cat(parts)

    def _fill(self, rows: Tensor) -> Tensor:
        """Return *rows* repeated up to a whole batch, in the layout of convolutions."""
        if len(rows) < self.batch:
            rows = rows[torch.arange(self.batch, device=rows.device) % len(rows)]
        if rows.ndim != 4:
            return rows.contiguous()
        # A copy, because the stride of a single channel is otherwise any number, and
        # a compiled function is made for every stride.
        return torch.empty_like(rows, memory_format=torch.channels_last).copy_(rows)

    def _run(self, model: Network, loss: Loss, *tensors: Tensor) -> Tensor:
        if not tensors[0].is_cuda:
            return self._steps(model, loss, *tensors)
        key = (model, loss, *(each.shape for each in tensors))
        if key not in self.graphs:
            self.graphs[key] = Captured(
                lambda *given: self._steps(model, loss, *given), tensors
            )
        return self.graphs[key](tensors)

    def _steps(
        self, model: Network, loss: Loss, x: Tensor, target: Tensor, start: Tensor
    ) -> Tensor:
        from torch._dynamo import config  # slow to import, so only when used

        # In the layout that a step returns: sums of one channel have another.
        x_adv = self._fill(into_ball(self.threat, x, x + start))
        step = _compiled_step()
        with config.patch(_OPTIONS):
            for _ in range(self.climbs):
                x_adv = step(model, x, x_adv, loss, target, self.threat, self.step_size)
        return x_adv


def why_not(device: torch.device) -> str:
    """Return why attacks cannot be compiled for *device* here, or nothing."""
    from torch._dynamo import config

    if not hasattr(config, "trace_autograd_ops"):
        return f"torch {torch.__version__} cannot compile an input gradient (2.11 can)"
    # It warns of a CUDA compiler without a GPU, which is nobody's concern here.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    # Only compiling shows whether compiling works: compiler, headers, a place to write.
    # A new code object, or torch would remember an earlier trial.
    trial = FunctionType(_plus_one.__code__.replace(), globals())
    try:
        torch.compile(trial, dynamic=False)(torch.zeros(8, device=device))
    except Exception as error:  # of many classes, which change between releases
        return f"a trial compilation failed ({type(error).__name__})"
    return ""


def _plus_one(x: Tensor) -> Tensor:
    return x + 1


@cache
def _compiled_step() -> Any:
    return torch.compile(ascend, dynamic=False, fullgraph=True)
