"""The end of an epoch, in rofit's loop or a user's: measured and written."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import nn

from rofit.training.curves import LearningCurves

if TYPE_CHECKING:
    from rofit.diagnostics import Monitor
    from rofit.diagnostics.view import EpochView
    from rofit.store.runs import RunFolder


def end_epoch(
    folder: "RunFolder",
    epoch: int,
    network: nn.Module,
    curves: LearningCurves,
    monitor: "Monitor",
    view: "Callable[[], EpochView]",
    *,
    lr: float,
    evaluated: bool,
) -> float:
    """Evaluate, measure the diagnostics that are due, and write samples and rows.

    Rows come last: an epoch that has them has its samples.

    Args:
        folder: of the run.
        epoch: the one that is over, from 1.
        network: what is evaluated, in eval mode.
        curves: sums over the epoch's steps; begin anew.
        monitor: diagnostics; those of steps begin anew.
        view: makes the view that diagnostics measure, the curves' predictions included.
        lr: learning rate of the epoch.
        evaluated: whether to evaluate the network.

    Returns:
        Robust accuracy on the selection split, which chooses the best epoch; NaN where
        it was not evaluated.
    """
    rows = curves.rows(network, evaluated=evaluated) + monitor.rows()
    measured, samples = monitor.measure_epoch(view())
    for name, columns in samples.items():
        plain = {key: column.cpu().numpy() for key, column in columns.items()}
        folder.write_sample(f"{name}-{epoch:04d}", plain)
    rows += [*measured, {"split": "train", "metric": "learning_rate", "value": lr}]
    folder.append([{"epoch": epoch} | row for row in rows])
    return curves.score(rows) if evaluated else math.nan
