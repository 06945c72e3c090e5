"""Refined labels on networks of two kinds: PreAct ResNet-18 and WRN-34-10.

Planned by us; the captions of the paper's tables are not known. Below the paper's size
each network has a small one of its kind. All thresholds are ours.
"""

import pandas as pd

from rofit.measures import best_last
from rofit.measures.claims import Claim
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Table 3"
STATUS = "planned by rofit"
DIAGNOSTICS = ()
MODELS = ("preact_resnet18", "wrn_34_10")
METHODS = ("pgd_at", "sgls", "sglr")
EVALUATIONS = best_last.EVALUATIONS
LEFT_OUT = best_last.LEFT_OUT
COLUMNS = {"model": "architecture"} | best_last.COLUMNS


def runs() -> list[RunSpec]:
    """Return three methods on each network."""
    return [
        RECIPES["sgls"].apply(RunSpec(method=method, model=model))
        for model in MODELS
        for method in METHODS
    ]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run, checkpoint and attack."""
    return best_last.by_checkpoint(logs, "model")


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return whether the effect has the same sign on every network."""
    return best_last.ends_above(table, "model", METHODS[1:])
