"""Information in weights over training, with given, smoothed and self-guided labels.

Planned by us; the caption of the paper's Figure 7 is not known, only that the paper
says soft labels reduce the information in weights. The runs are those of Figure 2. Two
estimates on attacked training images with their given labels: the mean over images of
(d^T grad l_i)^2 (ours, after the theory) and the square of the mean (the formula of the
PIB code); d is the way from weights trained on validation images alone.

A network whose gradients have vanished has little of either, whatever it memorised:
neither estimate is a number of nats, compare runs that share seed and images only.
"""

import math
from functools import partial

import pandas as pd

from rofit.errors import UserError
from rofit.measures.claims import Claim, at_least
from rofit.measures.epochs import is_full_size, pairs
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Figure 7"
STATUS = "planned by rofit"
DIAGNOSTICS = ("information_in_weights",)
METHODS = ("pgd_at", "label_smoothing", "sgls", "sglr")
PRIOR = "trained"
COLUMNS = {
    "method": "training method",
    "seed": "of the run",
    "epoch": "whole epochs done",
    "iiw_fisher": "mean of (d^T grad l_i)^2, all layers, nats^2",
    "iiw_code": "square of the mean of d^T grad l_i, all layers, nats^2",
    "attack": "on the training images",
    "n": "training images",
    "after_drop": "whether the learning rate has dropped before",
}


def runs() -> list[RunSpec]:
    """Return the runs of Figure 2."""
    return [RECIPES["sgls"].apply(RunSpec(method=method)) for method in METHODS]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run and epoch at which it was measured.

    Raises:
        UserError: the runs have no validation images, so that there is no such prior.
    """
    rows = information(logs)
    lr = logs[logs["metric"] == "learning_rate"].set_index(["run_id", "epoch"])["value"]
    first = lr.groupby(level="run_id", observed=True).max()
    rows["after_drop"] = [
        lr[run, epoch] < first[run]
        for run, epoch in zip(rows["run_id"], rows["epoch"], strict=True)
    ]
    return rows[list(COLUMNS)]


def information(logs: pd.DataFrame) -> pd.DataFrame:
    """Return both estimates of whole networks on attacked images, a row a measurement.

    Raises:
        UserError: no run knows the prior that was trained on validation images.
    """
    chosen = (
        logs["metric"].isin(["iiw_fisher", "iiw_code"])
        & (logs["layer"] == "all")
        & (logs["labels"] == "given")
        & (logs["prior"] == PRIOR)
        & (logs["attack"] != "none")
    )
    if not chosen.any():
        raise UserError(
            "information in weights needs a prior trained on validation images, and "
            "these runs have none; train with --set val_size=1000"
        )
    rows = logs[chosen]
    keys = ["run_id", "method", "seed", "label_noise", "epoch", "attack", "n"]
    wide = rows.pivot_table(index=keys, columns="metric", values="value", observed=True)
    return wide.reset_index().rename_axis(columns=None)


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return what is expected of both estimates."""
    after = table[table["after_drop"]]
    below = partial(
        at_least, 0, full_size=is_full_size(table), source="ours", unit="decades"
    )
    return [
        below(
            [lowest(a, b, estimate) for a, b in pairs(after, "pgd_at", method)],
            sentence=f"{method}: {estimate} below that of pgd_at at every measurement "
            "after the first drop",
        )
        for estimate in ("iiw_fisher", "iiw_code")
        for method in METHODS[1:]
    ]


def lowest(hard: pd.DataFrame, soft: pd.DataFrame, column: str) -> float:
    """Return the smallest log10 of hard / soft over the rows that both have.

    NaN where one of them is 0: gradients have vanished, and there is no ratio.
    """
    ratio = (hard[column] / soft[column]).dropna()
    if not ratio.between(0, math.inf, inclusive="neither").all():
        return math.nan
    return min(map(math.log10, ratio), default=math.nan)
