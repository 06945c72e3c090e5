"""Refined labels on top of adversarial training and of TRADES, on two data sets.

Planned by us; the captions of the paper's tables are not known, and a fragment of one
is in the authors' first release: PGD-AT and TRADES with and without SGLS on CIFAR-10,
final checkpoints. Ours has SGLS and SGLR (our reading) on both, and CIFAR-100 beside
CIFAR-10. TRADES under SGLR is TRADES' loss and attack on SGLR's labels, which is ours.
"""

import pandas as pd

from rofit.measures import best_last
from rofit.measures.claims import Claim
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Table 1"
STATUS = "planned by rofit"
DIAGNOSTICS = ()
DATASETS = ("cifar10", "cifar100")
METHODS = (
    RunSpec(method="pgd_at"),
    RunSpec(method="sgls"),
    RunSpec(method="sglr"),
    RunSpec(method="trades"),
    RunSpec(method="trades_sgls"),
    RunSpec(method="trades", labels_from="sglr"),
)
EVALUATIONS = best_last.EVALUATIONS
LEFT_OUT = best_last.LEFT_OUT
COLUMNS = {"dataset": "data set"} | best_last.COLUMNS
# Refined labels over plain ones, and by how many points at full size.
_PAIRS = (("pgd_at", "sglr", 6), ("trades", "trades+sglr", 2))


def runs() -> list[RunSpec]:
    """Return six methods on each data set."""
    return [
        RECIPES["sgls"].apply(spec.replace(dataset=dataset))
        for dataset in DATASETS
        for spec in METHODS
    ]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run, checkpoint and attack."""
    return best_last.by_checkpoint(logs, "dataset")


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return what refined labels gain at the end, and what they cost when clean."""
    attack = best_last.strongest(table)
    points = best_last.in_points(table)
    claimed = []
    for dataset, rows in table.groupby("dataset"):
        for plain, refined, gain in _PAIRS:
            thresholds = ((attack, gain), ("none", -1))
            for name, threshold in thresholds:
                values = [
                    best_last.by_seed(rows, method, name, "last")
                    for method in (refined, plain)
                ]
                shown = "clean" if name == "none" else name
                claimed.append(
                    points(
                        threshold,
                        best_last.shared(*values),
                        sentence=f"{dataset}: last {shown} accuracy of {refined} minus "
                        f"that of {plain}",
                    )
                )
    return claimed
