"""A function of tensors as a CUDA graph: the same kernels, launched at once."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class Captured:
    """Calls of *function* replayed from one capture, for inputs of one shape.

    Nothing random may happen inside: draws are inputs. Tensors that the function reads
    besides its inputs (weights) are read where they are at each replay, so they must be
    changed in place only.
    """

    _WARM_UP = 3  # calls before the capture: compilation, and the libraries' choices

    def __init__(
        self, function: Callable[..., Tensor], inputs: Sequence[Tensor]
    ) -> None:
        """Warm up on a side stream, as captures ask for, then capture."""
        self.inputs = [each.clone() for each in inputs]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(self._WARM_UP):
                function(*self.inputs)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.output = function(*self.inputs)

    def __call__(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return what the function returns for *inputs*, in memory of its own."""
        for mine, given in zip(self.inputs, inputs, strict=True):
            mine.copy_(given)
        self.graph.replay()
        return self.output.clone()
