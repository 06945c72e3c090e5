"""Refined labels on SVHN and Tiny-ImageNet.

Planned by us; the captions of the paper's tables are not known. SVHN at learning rate
0.01 by steps of 1/255, as Rice et al. 2020 train, and not augmented, as TE's code does;
Tiny-ImageNet from class folders (--data), there being no loader of it. All thresholds
are ours.
"""

from typing import Any

import pandas as pd

from rofit.measures import best_last
from rofit.measures.claims import Claim
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Table 6"
STATUS = "planned by rofit"
DIAGNOSTICS = ()
DATASETS: dict[str, dict[str, Any]] = {
    "svhn": {"lr": 0.01, "step_size": 1 / 255, "flip": False, "crop_pad": 0},
    "tiny_imagenet": {},
}
METHODS = ("pgd_at", "sgls", "sglr")
EVALUATIONS = best_last.EVALUATIONS
LEFT_OUT = best_last.LEFT_OUT
COLUMNS = {"dataset": "data set"} | best_last.COLUMNS


def runs() -> list[RunSpec]:
    """Return three methods on each data set."""
    return [
        RECIPES["sgls"].apply(RunSpec(method=method, dataset=dataset, **changes))
        for dataset, changes in DATASETS.items()
        for method in METHODS
    ]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run, checkpoint and attack."""
    return best_last.by_checkpoint(logs, "dataset")


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return whether the effect has the same sign on every data set."""
    return best_last.ends_above(table, "dataset", METHODS[1:])
