"""Accuracy and loss of a network on a set of images, clean or under an attack."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rofit.attacks.pgd import PGD
from rofit.evaluation.finite import finite_logits
from rofit.losses import cross_entropy
from rofit.modes import evaluating

# Images a pass, by kind of device; the verdicts do not depend on it. On a GPU a whole
# number of the usual batches, which a compiled attack fills up.
CHUNK = {"cpu": 250, "cuda": 1024}


@dataclass(frozen=True)
class Verdict:
    """Accuracy in [0, 1] and mean cross entropy in nats, over n images.

    ``logits`` are those of each image, (n, K), in fp32.
    """

    accuracy: float
    loss: float
    n: int
    logits: Tensor


def measure_accuracy(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    attack: PGD | None = None,
    start: Tensor | None = None,
) -> Verdict:
    """Return accuracy and mean cross entropy with the classes y, in eval mode.

    Args:
        model: maps inputs in [0, 1] to logits (B, K); its modes are restored.
        x: images (N, C, H, W) in [0, 1].
        y: classes (N,).
        attack: maximises the cross entropy with y first; None leaves x clean.
        start: the attack's starts, like x: an image's verdict depends on its own start
            and not on batch size or order.

    Raises:
        ValueError: an attack without starts, or starts without an attack.
        NotFinite: a logit is NaN or infinite.
    """
    if (attack is None) != (start is None):
        raise ValueError("attack and start go together: give both, or neither")
    batches = []
    chunk = CHUNK[x.device.type]
    with evaluating(model):
        for begin in range(0, len(x), chunk):
            part = slice(begin, begin + chunk)
            inputs = x[part]
            if attack is not None and start is not None:
                inputs = attack(model, inputs, cross_entropy, y[part], start[part])
            with torch.no_grad():
                batches.append(model(inputs).float())
    logits = finite_logits(torch.cat(batches))
    hits = (logits.argmax(dim=1) == y).sum().item()
    loss = cross_entropy(logits, y).double().sum().item()
    return Verdict(hits / len(x), loss / len(x), len(x), logits)
