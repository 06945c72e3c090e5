"""How the best epoch is chosen: while a run trains, and from its logs afterwards."""

from collections.abc import Container, Iterable


def selection_split(splits: Container[str]) -> str:
    """Return the split that chooses: ``val``, or ``test`` for a run without it."""
    return "val" if "val" in splits else "test"


def improves(score: float, best: float) -> bool:
    """Return whether *score* takes the place of *best*; the first of equals stays."""
    return score > best


def best_epoch(scores: Iterable[tuple[int, float]]) -> int:
    """Return the epoch with the best score, the first of equals.

    Args:
        scores: epoch and robust accuracy on the selection split, in order of epochs.

    Returns:
        The epoch, from 1; 0 where there is none, or all scores are NaN.

    Examples:
        >>> best_epoch([(1, 0.30), (2, 0.41), (3, 0.41), (4, 0.39)])
        2
    """
    epoch, best = 0, float("-inf")
    for candidate, score in scores:
        if improves(score, best):
            epoch, best = candidate, score
    return epoch
