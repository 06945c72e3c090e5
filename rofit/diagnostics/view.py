"""What diagnostics may read at an epoch's end, computed once for all of them.

Predictions of the learning curves are reused; all else is computed on first use and
kept until the epoch's diagnostics are done.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from rofit.attacks import geometry
from rofit.attacks.pgd import PGD
from rofit.evaluation.accuracy import CHUNK
from rofit.evaluation.finite import finite_logits
from rofit.losses import cross_entropy
from rofit.seeding import generator
from rofit.settings.spec import RunSpec


@dataclass
class Split:
    """Images of one part of the data, in a fixed, class-balanced random order.

    Attributes:
        images: n -> the first n images, (n, C, H, W) in [0, 1], not augmented.
        y: given classes (N,), the noisy ones in the training part.
        true: true classes (N,).
    """

    images: Callable[[int], Tensor]
    y: Tensor
    true: Tensor


@dataclass
class EpochView:
    """A network at an epoch's end, its data, and its predictions.

    Attributes:
        spec: the run.
        epoch: whole epochs done.
        model: the network with its fp32 weights; for gradients in them.
        network: the same in eval mode and the run's precision; for predictions.
        attack: of the evaluation; maximises the cross entropy with given classes.
        splits: ``train``, ``val``, ``test``.
        redrawn: whether a training label was drawn anew, bool (N,).
        labels: positions (B,) -> the labels (B, K) that the method trains on now.
        initial: the weights at the start of the run, by parameter name.
        logits_at_hand: (split, attack) -> logits (n, K) of the first n images.
    """

    spec: RunSpec
    epoch: int
    model: nn.Module
    network: nn.Module
    attack: PGD
    splits: dict[str, Split]
    redrawn: Tensor
    labels: Callable[[Tensor], Tensor]
    initial: dict[str, Tensor]
    logits_at_hand: dict[tuple[str, str], Tensor] = field(default_factory=dict)
    _adversarial: dict[str, Tensor] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[str, ...]:
        """``none``, and the attack's name where the ball is more than a point."""
        return ("none", self.attack.name) if self.attack.climbs else ("none",)

    def clean(self, split: str, n: int) -> Tensor:
        """Return the first n images of a split (all, if there are fewer)."""
        return self.splits[split].images(min(n, len(self.splits[split].y)))

    def adversarial(self, split: str, n: int) -> Tensor:
        """Return adversarial examples of the first n images, from starts that stay.

        Against the network in eval mode, with given classes.
        """
        x_adv = self._adversarial.get(split)
        n = min(n, len(self.splits[split].y))
        if x_adv is None or len(x_adv) < n:
            x = self.clean(split, n)
            stream = generator(self.spec.seed, "diagnostics", split)
            start = geometry.start(self.attack.threat, x.shape, stream).to(x.device)
            y = self.splits[split].y[:n]
            x_adv = torch.cat(
                [
                    self.attack(
                        self.network,
                        x[part],
                        cross_entropy,
                        y[part],
                        start[part],
                    )
                    for part in chunks(n, CHUNK[x.device.type])
                ]
            )
            self._adversarial[split] = x_adv
        return x_adv[:n]

    def logits(self, split: str, attack: str, n: int) -> Tensor:
        """Return the network's logits (n, K) on the first n images.

        Args:
            split: of the data.
            attack: ``none`` for clean images, or the name of the view's attack.
            n: how many, at most; those of the learning curves are computed already.

        Raises:
            NotFinite: a logit is NaN or infinite.
        """
        n = min(n, len(self.splits[split].y))
        logits = self.logits_at_hand.get((split, attack))
        if logits is None or len(logits) < n:
            x = self.clean(split, n) if attack == "none" else self.adversarial(split, n)
            with torch.no_grad():
                logits = torch.cat(
                    [self.network(x[part]) for part in chunks(n, CHUNK[x.device.type])]
                )
            self.logits_at_hand[split, attack] = finite_logits(logits)
        return logits[:n]


def chunks(n: int, size: int) -> list[slice]:
    """Return slices that cover n rows, *size* at a time."""
    return [slice(begin, begin + size) for begin in range(0, n, size)]
