"""Functions of tensors as CUDA graphs: the same kernels, launched at once."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

import torch
from torch import Tensor

Output = TypeVar("Output")
# (function of no arguments) -> its output, and what computes it anew in that memory.
Record = Callable[[Callable[[], Tensor]], tuple[Tensor, Callable[[], None]]]
WARM_UP = 3  # calls before a capture: compilation, and the libraries' choices


def record(function: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
    """Capture one call, which computes nothing yet; return output and replay.

    Nothing random may happen inside, and nothing that waits for the device. Tensors
    that the function reads are read where they are at each replay, so they must be
    changed in place only; what Python does besides happens now, and never again.

    Graphs share one pool of memory: read the output before another graph is replayed.
    """
    graph = torch.cuda.CUDAGraph()
    # Only this thread's calls are checked: another one may pin memory meanwhile.
    pool = _first_graph().pool()
    with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
        output = function()
    return output, graph.replay


def on_side_stream(function: Callable[[], Output]) -> Output:
    """Call *function* on a side stream, as calls that precede a capture must be."""
    side = _side_stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        output = function()
    torch.cuda.current_stream().wait_stream(side)
    return output


@cache
def _first_graph() -> torch.cuda.CUDAGraph:
    """Return a graph that is never freed: it keeps the pool that the others share.

    A pool whose graphs are all gone is refused for as long as a tensor lives in it: a
    process's second training could not capture anything.
    """
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        torch.zeros(1, device="cuda")
    return graph


@cache
def _side_stream() -> torch.cuda.Stream:
    return torch.cuda.Stream()  # one: every stream keeps its own memory


class Captured:
    """Calls of a function replayed from one capture, for inputs of one shape."""

    def __init__(
        self,
        function: Callable[..., Tensor],
        inputs: Sequence[Tensor],
        *,
        warm_up: int = WARM_UP,
        record: Record = record,
    ) -> None:
        """Call it *warm_up* times, then capture; not at all if calls leave traces."""
        self.inputs = [tensor.clone() for tensor in inputs]
        for _ in range(warm_up):
            on_side_stream(lambda: function(*self.inputs))
        self.output, self.replay = record(lambda: function(*self.inputs))

    def __call__(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return what the function returns for *inputs*, in memory of its own."""
        for memory, tensor in zip(self.inputs, inputs, strict=True):
            memory.copy_(tensor)
        self.replay()
        return self.output.clone()
