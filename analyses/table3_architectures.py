"""Refined labels on networks of two kinds: PreAct ResNet-18 and WRN-34-10.

Planned by us; the captions of the paper's tables are not known. Below the paper's size
each network has a small one of its kind. All thresholds are ours.
"""

from functools import partial

import pandas as pd

from rofit import best_last
from rofit.claims import Claim, at_least
from rofit.recipes import RECIPES
from rofit.spec import RunSpec

PAPER = "Table 3"
STATUS = "planned by rofit"
DIAGNOSTICS = ()
MODELS = ("preact_resnet18", "wrn_34_10")
METHODS = ("pgd_at", "sgls", "sglr")
EVALUATIONS = ("clean", "pgd20", "cw100", "autoattack")
LEFT_OUT = {
    "smoke": ("cw100", "autoattack"),
    "demo": ("autoattack",),
    "cpu": ("autoattack",),
}
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
    attack = best_last.strongest(table)
    points = partial(
        at_least, full_size=best_last.is_full_size(table), source="ours", unit="points"
    )
    found = []
    for model, rows in table.groupby("model"):
        plain = best_last.by_seed(rows, "pgd_at", attack, "last")
        for method in METHODS[1:]:
            theirs = best_last.by_seed(rows, method, attack, "last")
            found.append(
                points(
                    0,
                    best_last.shared(theirs, plain),
                    sentence=f"{model}: last {attack} accuracy of {method} minus "
                    "pgd_at's",
                )
            )
    return found
