"""The learning rate as a function of the epoch, and of nothing else."""

from rofit.settings.spec import RunSpec, epoch_at


def learning_rate(spec: RunSpec, epoch: int) -> float:
    """Return the rate of the epoch after *epoch* whole epochs (counted from 0).

    Every drop multiplies by ``drop_factor``; a drop at half of 200 epochs leaves the
    first 100 epochs at the full rate. Source: Rice et al. 2020, piecewise constant.
    """
    passed = sum(epoch >= epoch_at(drop, spec.epochs) for drop in spec.drops)
    return spec.lr * spec.drop_factor**passed
