"""Forward passes of a trainer's steps: what its callbacks do not see themselves."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from rofit.adapters.networks import LogitsAt, read_logits
from rofit.errors import UserError
from rofit.watching.training import WatchedTraining


class ForwardPasses:
    """Logits and classes since the last optimizer step, of passes with gradients.

    Of several passes for one batch (an attack's, say) the last one counts; batches
    whose gradients are accumulated are one step.
    """

    def __init__(self, network: nn.Module, logits: LogitsAt) -> None:
        """Look at what *network* returns in train mode."""
        self.batches: list[tuple[Tensor, Any]] = []
        self.last: Tensor | None = None
        self.paused = False  # copies of the network have its hooks

        def keep(module: nn.Module, args: Any, output: Any) -> None:
            if module.training and torch.is_grad_enabled() and not self.paused:
                self.last = read_logits(output, logits).detach()

        self.handle: Any = network.register_forward_hook(keep)

    def end_batch(self, y: Any) -> None:
        """Take the last pass for that of a batch with classes *y* (B,)."""
        if self.last is not None:
            self.batches.append((self.last, torch.as_tensor(y)))
        self.last = None

    def record(self, watched: WatchedTraining) -> None:
        """Record a step of all batches since the last one.

        Raises:
            UserError: the network has made no pass in train mode, or has other classes
                than the batch.
        """
        if not self.batches:
            raise UserError(
                "the network that is watched made no forward pass in train mode "
                "before this step: name the one that does (network=)"
            )
        logits = torch.cat([logits for logits, _ in self.batches])
        y = torch.cat([y.to(logits.device) for _, y in self.batches])
        self.batches.clear()
        in_half = logits.dtype == torch.float16  # whose gradients are unscaled by now
        loss = cross_entropy(logits.float(), y) if len(y) == len(logits) else logits
        watched.step(logits, y, loss, gradient_scale=1.0 if in_half else None)

    def epoch(self, watched: WatchedTraining, lr: float) -> None:
        """End an epoch, unless it has no step."""
        if watched.recorded:
            self.paused = True
            watched.epoch(lr=lr)
            self.paused = False


def go_on(watched: WatchedTraining, epochs: int) -> None:
    """Go on after the epoch whose weights a trainer has restored.

    Where it has weights of the middle of an epoch, after *epochs* whole ones.
    """
    try:
        watched.resume_from()
    except UserError:
        watched.resume_from(epochs)
