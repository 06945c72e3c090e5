"""What a step says of the network: the range of its inputs, the scale of its loss."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from rofit.adapters.inputs import Inputs


class TrainingInputs:
    """The range of the images that a network is given until its first step."""

    def __init__(self, model: nn.Module, inputs: Inputs) -> None:
        """Look at what *model* is called with, without changing anything."""
        self.inputs = inputs
        self.ends = ends = list[Tensor]()

        # No method: a copy of the network would copy this object with it.
        def look(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
            for value in (*args, *kwargs.values()):
                if isinstance(value, Tensor) and value.ndim == 4 and value.numel():
                    ends.append(torch.stack(value.detach().aminmax()).double())
                    return

        self.handle: Any = model.register_forward_pre_hook(look, with_kwargs=True)

    def check(self) -> None:
        """Raise UserError if they are not of that range; look no more."""
        if self.handle is None:
            return
        self.handle.remove()
        self.handle = None
        if self.ends:
            ends = torch.stack(self.ends)
            self.ends.clear()
            self.inputs.check_trained_on(
                ends.amin(dim=0)[0].item(), ends.amax(dim=0)[1].item()
            )


@contextmanager
def unscaled(model: nn.Module, scale: float | None) -> Iterator[bool]:
    """Divide the gradients by *scale* for the block; say whether they can be used.

    Not where a scaled loss has overflowed: the optimizer's step is left out then.
    """
    if scale is None:
        yield True
        return
    gradients = [(p, p.grad) for p in model.parameters() if p.grad is not None]
    finite = all(bool(g.isfinite().all()) for _, g in gradients)
    try:
        if finite and scale != 1:
            for parameter, gradient in gradients:
                parameter.grad = gradient / scale
        yield finite
    finally:
        for parameter, gradient in gradients:
            parameter.grad = gradient
