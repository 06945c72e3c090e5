"""Logits that are numbers: the argmax of NaN is a class like any other.

Whatever counts predictions looks here first, so that a network that has diverged gets a
sentence and no accuracy.
"""

from torch import Tensor

from rofit.errors import UserError


class NotFinite(UserError):
    """NaN or infinity where a network's predictions were to be counted."""


def finite_logits(logits: Tensor) -> Tensor:
    """Return *logits* (B, K) as they are, all of them finite.

    It waits for the device: for evaluations, not for steps of a training.

    Raises:
        NotFinite: NaN or infinity among them; of how many images.
    """
    broken = ~logits.isfinite().all(dim=1)
    if n := int(broken.sum()):
        raise NotFinite(
            f"logits are not finite for {n} of {len(logits)} images: the weights have "
            "diverged, or the network overflows or divides by zero"
        )
    return logits
