"""Whether an imported network does what its file says: measured on the given data."""

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor, nn

from rofit.evaluation.accuracy import measure_accuracy
from rofit.interop.checkpoints.normalisers import Normaliser

# Accuracies that differ by less say nothing of a normaliser: the other costs a network
# tens of points, and the spread over `IMAGES` is 2.
MARGIN = 0.1
IMAGES = 512


@dataclass(frozen=True)
class Check:
    """What was measured on the first test images.

    Attributes:
        normaliser: the one taken.
        accuracy: clean, a fraction, by normaliser; more than one where they were tried.
        n: images.
        remarks: sentences about what is not as it should be.
    """

    normaliser: Normaliser
    accuracy: dict[Normaliser, float]
    n: int
    remarks: list[str] = field(default_factory=list)


def check(
    network: Callable[[Normaliser], nn.Module],
    candidates: list[Normaliser],
    *,
    other: Normaliser | None,
    keep: bool,
    claimed: float | None,
    x: Tensor,
    y: Tensor,
    n_classes: int,
) -> Check:
    """Choose among normalisers by clean accuracy, and compare it with what is claimed.

    Args:
        network: makes the network with a normaliser.
        candidates: the likely one first; another is taken if it is `MARGIN` better.
        other: tried where accuracy is `MARGIN` below what is claimed.
        keep: the user said which; what else was tried is told, and not taken.
        claimed: clean accuracy as the file says it.
        x: test images (N, C, H, W) in [0, 1].
        y: classes (N,).
        n_classes: K, of which chance is one in.

    Raises:
        NotFinite: a logit is NaN or infinite.
    """
    x, y = x[:IMAGES], y[:IMAGES]
    accuracy: dict[Normaliser, float] = {}

    def measured(normaliser: Normaliser) -> float:
        if normaliser not in accuracy:
            accuracy[normaliser] = measure_accuracy(network(normaliser), x, y).accuracy
        return accuracy[normaliser]

    taken = candidates[0]
    for candidate in candidates:
        if measured(candidate) >= measured(taken) + MARGIN:
            taken = candidate
    below = claimed is not None and measured(taken) < claimed - MARGIN
    if below and other is not None and measured(other) >= measured(taken) + MARGIN:
        taken = taken if keep else other
    remarks = _remarks(taken, accuracy, claimed, len(x), n_classes)
    return Check(taken, accuracy, len(x), remarks)


def _remarks(
    taken: Normaliser,
    accuracy: dict[Normaliser, float],
    claimed: float | None,
    n: int,
    n_classes: int,
) -> list[str]:
    own, remarks = accuracy[taken], []
    if claimed is not None and own < claimed - MARGIN:
        remarks.append(
            f"the file says a clean accuracy of {claimed:.1%}, and it is {own:.1%} on "
            f"{n} test images: --normalise, --form or --activation may be another"
        )
    chance = 1 / n_classes
    if own <= chance + 3 * (chance * (1 - chance) / n) ** 0.5:
        remarks.append(
            f"clean accuracy is {own:.1%} on {n} test images, and chance is "
            f"{chance:.1%}: the weights may be those of before training, or of another "
            "--dataset, --normalise, --form or --activation"
        )
    if len(accuracy) > 1:
        tried = (f"{value:.1%} with {key}" for key, value in accuracy.items())
        remarks.append(f"normalisers were tried: {', '.join(tried)}; taken is {taken}")
    return remarks
