"""The learning rate as a function of how far the run is, and of nothing else."""

import math
from collections.abc import Callable

import numpy as np

from rofit.settings.spec import RunSpec, epoch_at


def learning_rate(spec: RunSpec, epoch: int, share: float = 1.0) -> float:
    """Return the rate of a step, of the run's ``schedule``.

    Args:
        spec: the run; ``lr`` is the highest rate.
        epoch: whole epochs done before the step's, from 0.
        share: of the epoch that is done after the step, in (0, 1]; at 1 the rate is
            that of the epoch's last step, which logs have.
    """
    return spec.lr * SCHEDULES[spec.schedule](spec, epoch, share)


def drops(spec: RunSpec, epoch: int, share: float) -> float:
    """Return the factor of steps: every drop multiplies by ``drop_factor``.

    A drop at half of 200 epochs leaves the first 100 epochs at the full rate. Source:
    Rice et al. 2020, but for `piecewise`.
    """
    passed = sum(epoch >= epoch_at(drop, spec.epochs) for drop in spec.drops)
    return spec.drop_factor**passed


def piecewise(spec: RunSpec, epoch: int, share: float) -> float:
    """Return the same where a step counts as done: the last before a drop has it.

    Source: the released code of Rice et al. 2020, which looks at the end of the step.
    """
    done = (epoch + share) / spec.epochs
    return spec.drop_factor ** sum(done >= drop for drop in spec.drops)


def cosine(spec: RunSpec, epoch: int, share: float) -> float:
    """Return half a wave of a cosine from 1 to 0, step by step. Source: Rice et al."""
    return 0.5 * (1 + math.cos(math.pi * (epoch + share) / spec.epochs))


def linear(spec: RunSpec, epoch: int, share: float) -> float:
    """Return 1 for a third of the epochs, then lines to 1/10 and 1/100, step by step.

    Source: Rice et al. 2020, and Pang et al. 2021 (Bag of Tricks); thirds are whole
    epochs.
    """
    thirds = [0, spec.epochs // 3, spec.epochs * 2 // 3, spec.epochs]
    return float(np.interp(epoch + share, thirds, [1, 1, 0.1, 0.01]))


def cyclic(spec: RunSpec, epoch: int, share: float) -> float:
    """Return a line from 0 up to 1 at two fifths of the epochs and down to 0 again.

    Step by step. Source: Rice et al. 2020 ("superconverge"); Wong et al. 2020 have the
    middle for the two fifths.
    """
    corners = [0, spec.epochs * 2 // 5, spec.epochs]
    return float(np.interp(epoch + share, corners, [0, 1, 0]))


def one_cycle(spec: RunSpec, epoch: int, share: float) -> float:
    """Return cosines from 1/25 up to 1 and down to 1/250,000, epoch by epoch.

    The way up takes three tenths of the epochs. Source: torch's OneCycleLR, stepped
    after each epoch, as the FastAT Benchmark does. Differs: there the momentum goes
    from 0.95 to 0.85 and back as well.
    """
    first, last = 1 / 25, 1 / 25 / 1e4
    top, end = 0.3 * spec.epochs - 1, spec.epochs - 1
    if epoch <= top:
        return _along_cosine(first, 1, epoch / top if top else 1)
    return _along_cosine(1, last, (epoch - top) / (end - top))


def one_cycle_steps(spec: RunSpec, epoch: int, share: float) -> float:
    """Return cosines from 1/25 up to 1 and down to 1/250,000, step by step.

    The way up takes a quarter of the run. Source: torch's OneCycleLR, stepped after
    each batch, as the code of Rade and Moosavi-Dezfooli 2022 (HAT) does. Differs: the
    first step's rate is already on the way up, by less than a step; there the momentum
    goes from 0.95 to 0.85 and back as well.
    """
    done, top = epoch + share, spec.epochs / 4
    if done <= top:
        return _along_cosine(1 / 25, 1, done / top)
    return _along_cosine(1, 1 / 25 / 1e4, (done - top) / (spec.epochs - top))


def _along_cosine(begin: float, end: float, share: float) -> float:
    return end + (begin - end) / 2 * (1 + math.cos(math.pi * share))


SCHEDULES: dict[str, Callable[[RunSpec, int, float], float]] = {
    schedule.__name__: schedule
    for schedule in (
        drops,
        piecewise,
        one_cycle,
        one_cycle_steps,
        cosine,
        linear,
        cyclic,
    )
}
