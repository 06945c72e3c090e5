"""Networks that an attack of the library is given in place of the one under evaluation.

They save passes that change nothing, or make them cheaper: the same adversarial
examples are found.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from rofit.attacks.geometry import inside
from rofit.settings.threat import ThreatModel


class FewSizes(nn.Module):
    """A network in eval mode that is given batches of few sizes: powers of two.

    The library's batches shrink with every image that is fooled, and on a GPU a size
    that was not seen before costs more than the images that it saves: convolutions are
    chosen anew, for cuDNN's benchmark by trying. The first image fills the batch up.
    """

    def __init__(self, network: nn.Module, most: int) -> None:
        """Fill up to *most* images; larger batches stay as they are."""
        super().__init__()
        self.network, self.most = network, most

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, K) of x (B, C, H, W)."""
        n = len(x)
        lacking = min(1 << (n - 1).bit_length(), self.most) - n if n else 0
        if lacking <= 0:
            return self.network(x)
        filled = torch.cat([x, x[:1].detach().expand(lacking, *x.shape[1:])])
        return self.network(filled)[:n]


def fill_limit(images: int, device: torch.device) -> int:
    """Return up to how many images `FewSizes` fills batches of at most *images*.

    0, for never, on a CPU: a new size costs nothing there, and a filled batch does.
    """
    return images if device.type == "cuda" else 0


class _AllFooled(Exception):
    """Every image of the batch has its adversarial example: the attack may end."""


class StopsWhenFooled(nn.Module):
    """A network that keeps the first adversarial example of every image of a batch.

    Images that have one are not computed again: their last logits are repeated, with
    no gradient. That changes nothing for the others, which the attacks treat apart.
    """

    def __init__(self, network: nn.Module, threat: ThreatModel) -> None:
        super().__init__()
        self.network, self.threat = network, threat

    @contextmanager
    def batch(self, x: Tensor, y: Tensor, *, in_gradients: bool) -> Iterator[None]:
        """Watch the attack of a batch.

        Args:
            x: images.
            y: their classes.
            in_gradients: whether the attack judges by the passes that it takes
                gradients of, or by those that it does not.
        """
        self.x, self.y, self.in_gradients = x, y, in_gradients
        self.adversarial = x.clone()
        self.rows = torch.arange(len(x), device=x.device)  # of the images that are left
        with torch.no_grad():
            self.logits = self.network(x)
        try:
            yield
        except _AllFooled:
            pass

    def forward(self, x_adv: Tensor) -> Tensor:
        """Return logits (B, K)."""
        if len(x_adv) != len(self.x):
            return self.network(x_adv)
        rows, judges = self.rows, torch.is_grad_enabled() == self.in_gradients
        if not len(rows):
            raise _AllFooled
        if len(rows) == len(x_adv):
            logits = self.network(x_adv)
            if judges:
                self._judge(x_adv.detach(), logits.detach())
        else:
            remaining = self.network(x_adv[rows])
            logits = self.logits.index_copy(0, rows, remaining)
            if judges:
                self._judge(x_adv.detach()[rows], remaining.detach())
        self.logits = logits.detach()
        return logits

    def predicted(self, x_adv: Tensor) -> Tensor:
        """Return the predicted classes (B,)."""
        with torch.no_grad():
            return self(x_adv).argmax(dim=1)

    def _judge(self, x_adv: Tensor, logits: Tensor) -> None:
        """Keep the images among those left that are predicted wrongly, in the ball."""
        wrong = logits.argmax(dim=1) != self.y[self.rows]
        if not wrong.any():
            return
        wrong &= inside(self.threat, self.x[self.rows], x_adv)
        self.adversarial[self.rows[wrong]] = x_adv[wrong]
        self.rows = self.rows[~wrong]
