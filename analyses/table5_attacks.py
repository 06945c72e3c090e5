"""Accuracy under attacks of every kind, of the best and the last checkpoint.

Planned by us; the captions of the paper's tables are not known. FGSM, PGD, C&W's
margin, Square and a transfer (black boxes), AutoAttack; the runs are Figure 12's.
Every attack is tried on all test images; what is wrong without any counts as wrong. A
transfer comes from adversarial training's network of the same seed, for that method
from the next seed's. Which epoch is best, the split in ``selected_on`` says; what the
test images themselves would have chosen stands beside it, under the attack of every
epoch's evaluation, the only one that was made at every epoch. All thresholds are ours.
"""

from functools import partial

import pandas as pd

from rofit.measures import best_last
from rofit.measures.claims import Claim, at_least, in_every
from rofit.measures.epochs import is_full_size
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Table 5"
STATUS = "planned by rofit"
DIAGNOSTICS = ()
METHODS = ("pgd_at", "sgls", "sglr")
EVALUATIONS = (
    "clean",
    "fgsm",
    "pgd20",
    "pgd100",
    "cw100",
    "autoattack",
    "square5000",
    "transfer",
)
COLUMNS = best_last.COLUMNS
# Weaker first: an attack should leave no more than the one before it.
_ORDER = (
    ("fgsm", "pgd20"),
    ("pgd20", "pgd100"),
    ("pgd100", "cw100"),
    ("cw100", "autoattack"),
    ("square5000", "autoattack"),
    ("transfer", "pgd20"),
)


def runs() -> list[RunSpec]:
    """Return three of the runs of Figure 2."""
    return [RECIPES["sgls"].apply(RunSpec(method=method)) for method in METHODS]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run, checkpoint and attack."""
    return best_last.by_checkpoint(logs)


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return the order that attacks should have in every network, and one effect."""
    order = partial(in_every, 0, source="ours", unit="points")
    claimed = [
        order(
            _smallest(table, weak, strong),
            sentence=f"{strong} leaves no more than {weak}, in the network where it "
            "does so least",
        )
        for weak, strong in _ORDER
    ]
    plain = best_last.falls(table, "pgd_at", "autoattack")
    for method in METHODS[1:]:
        refined = best_last.falls(table, method, "autoattack")
        claimed.append(
            at_least(
                4,
                best_last.shared(plain, refined),
                sentence=f"{method}: AutoAttack accuracy falls by less than pgd_at's "
                "from best to last",
                unit="points",
                source="ours",
                full_size=is_full_size(table),
            )
        )
    return claimed


def _wide(table: pd.DataFrame) -> pd.DataFrame:
    """Return accuracies in points: a row a network, a column an attack."""
    rows = table[table["checkpoint"].isin(["best", "last"])]
    keys = ["method", "seed", "checkpoint"]
    return 100 * rows.pivot_table(index=keys, columns="attack", values="accuracy")


def _smallest(table: pd.DataFrame, weak: str, strong: str) -> list[float]:
    """Return the smallest difference over a seed's networks, a value a seed."""
    wide = _wide(table).reindex(columns=[weak, strong])
    return list((wide[weak] - wide[strong]).groupby(level="seed").min())
