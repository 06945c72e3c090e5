"""What both a store's list and a run's page begin from: curves, best and last."""

import math
import warnings
from typing import Any, NamedTuple

import pandas as pd

from rofit.errors import UserError
from rofit.measures.metrics import best_last_gap

PER_CENT = 100


class Outcome(NamedTuple):
    """Robust accuracies of test images at the best and the last epoch, per cent.

    NaN, and epoch 0, where there is none.
    """

    best_epoch: int = 0
    last_epoch: int = 0
    best: float = math.nan
    last: float = math.nan
    gap: float = math.nan
    selected_on: str = ""


def accuracies(logs: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of accuracies as learning curves have them, no evaluations."""
    rows = logs[(logs["metric"] == "accuracy") & (logs["measured"] != "evaluation")]
    return rows[rows["split"].isin(["train", "val", "test"])]


def outcome(logs: pd.DataFrame) -> Outcome:
    """Return best and last of one run's logs; nothing where they cannot be told.

    What `best_last_gap` warns of stays a warning.
    """
    try:
        summary = best_last_gap(logs) if len(logs) else logs
    except UserError as error:  # a log of others with two attacks an epoch, say
        warnings.warn(str(error), stacklevel=2)
        return Outcome()
    if not len(summary):
        return Outcome()
    row = summary.iloc[0]
    best, last, gap = (PER_CENT * float(row[name]) for name in ("best", "last", "gap"))
    epochs = int(row["best_epoch"]), int(row["epochs"])
    return Outcome(*epochs, best, last, gap, str(row["selected_on"]))


def points(logs: pd.DataFrame, **conditions: Any) -> list[tuple[int, float]]:
    """Return epoch and value of the rows that meet the conditions, in order.

    ``robust`` is the condition that there is an attack, or that there is none; of two
    values of one epoch the first counts.
    """
    rows = logs
    if (robust := conditions.pop("robust", None)) is not None:
        attacks = rows["attack"]
        rows = rows[attacks.notna() & ((attacks != "none") == robust)]
    for name, value in conditions.items():
        rows = rows[rows[name] == value]
    rows = rows.drop_duplicates("epoch").sort_values("epoch")
    return list(
        zip(rows["epoch"].astype(int), rows["value"].astype(float), strict=True)
    )
