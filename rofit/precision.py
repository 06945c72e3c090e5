"""Convolutions in another precision than the weights that are trained.

Weights, BatchNorm, pooled features, logits and losses stay in fp32; images are centred
in fp32 before they are rounded. Only convolutions, nearly all of the work, change.
"""

import copy

import torch
from torch import Tensor, nn
from torch.func import functional_call

# Precision of a run (a field of RunSpec) -> that of its convolutions.
CONVOLUTIONS = {
    "fp32": torch.float32,
    "tf32": torch.float32,
    "bf16": torch.bfloat16,
}


def rounded(model: nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
    """Return the convolutions' weights in *dtype* by name, through autograd."""
    return {
        f"{name}.weight": module.weight.to(dtype)
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d)
    }


class InPrecision(nn.Module):
    """A network, in the mode that it is in, with convolutions in another precision."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        """Wrap *network*, whose weights stay as they are and are rounded anew."""
        super().__init__()
        self.network, self.dtype = network, dtype

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (B, K) of inputs (B, C, H, W) in [0, 1]."""
        return functional_call(self.network, rounded(self.network, self.dtype), (x,))


class PrecisionCopy:
    """A network as attack and evaluation see it: eval mode, nothing to be trained.

    Parameters and buffers are the model's own memory, but for convolutions in another
    precision, which `refresh` copies. Without parameters that require gradients, an
    input gradient costs two thirds of a backward pass.

    Attributes:
        network: the copy.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype) -> None:
        """Copy *model*, which must have moved to its device before."""
        self.network = copy.deepcopy(model).eval()
        self._sources: list[Tensor] = []
        self._copies: list[Tensor] = []
        for name, module in model.named_modules():
            copied = self.network.get_submodule(name)
            for key, buffer in module._buffers.items():
                copied._buffers[key] = buffer
            for key, parameter in module._parameters.items():
                if parameter is None:
                    continue
                weight = parameter.detach()
                if isinstance(module, nn.Conv2d) and weight.dtype != dtype:
                    self._sources.append(weight)
                    weight = weight.to(dtype)
                    self._copies.append(weight)
                copied._parameters[key] = nn.Parameter(weight, requires_grad=False)

    def refresh(self) -> None:
        """Copy the weights that are not shared; after every change of the model's."""
        if self._copies:
            torch._foreach_copy_(self._copies, self._sources)
