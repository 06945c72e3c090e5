"""Symmetric label noise, in the two conventions that share this name."""

from dataclasses import dataclass

import numpy as np

from rofit.data.images import Index, Labels
from rofit.errors import UserError, unknown

CONVENTIONS = {
    "uniform": "over all K classes, the true one included; error rate rate (1 - 1/K)",
    "other": "over the K - 1 wrong classes; error rate rate",
}


@dataclass(frozen=True, eq=False)
class NoisyLabels:
    """Labels to train on, the true ones, and the positions that noise redrew.

    Attributes:
        given: int64 (N,), the labels that training sees.
        true: int64 (N,), the labels before.
        flipped: int64 (M,), sorted positions that were drawn: the corrupted portion,
            also where the new label happens to equal the true one.
    """

    given: Labels
    true: Labels
    flipped: Index


def symmetric_noise(
    labels: Labels,
    *,
    rate: float,
    n_classes: int,
    convention: str,
    rng: np.random.Generator,
) -> NoisyLabels:
    """Return labels of which floor(rate N) were drawn anew, uniformly.

    Both conventions corrupt the same positions for the same stream. On ten classes 40 %
    of "uniform" noise is an error rate of 36 %.

    Args:
        labels: int64 (N,), class indices.
        rate: corrupted share in [0, 1].
        n_classes: K.
        convention: "uniform" (over all K classes) or "other" (over the wrong ones).
        rng: the stream that draws.

    Raises:
        UserError: if the rate is outside [0, 1], the convention is unknown, or "other"
            is given fewer than two classes.

    Source: docs/method.md, "Symmetric label noise": LayneH/self-adaptive-training
    @2f902b3 ("uniform"), YisenWang/symmetric_cross_entropy_for_noisy_labels @ec778df
    ("other").
    """
    if not 0 <= rate <= 1:
        raise UserError(
            f"the noise rate must be in [0, 1], got {rate}; 40 % is written 0.4"
        )
    if convention not in CONVENTIONS:
        raise unknown("noise convention", convention, CONVENTIONS)
    if convention == "other" and n_classes < 2:
        raise UserError(
            "noise convention 'other' must have at least 2 classes to choose from, got "
            f"{n_classes}; use 'uniform'"
        )
    # Rounded first: 0.29 * 100 is 28.999... in floating point, and 29 is meant.
    n_flipped = int(np.floor(round(rate * len(labels), 6)))
    flipped = np.sort(rng.choice(len(labels), n_flipped, replace=False))
    given = labels.copy()
    if convention == "uniform":
        given[flipped] = rng.integers(0, n_classes, n_flipped)
    else:
        step = rng.integers(1, max(n_classes, 2), n_flipped)
        given[flipped] = (labels[flipped] + step) % n_classes
    return NoisyLabels(given, labels.copy(), flipped.astype(np.int64))
