"""Learning curves on CIFAR-100: adversarial training with and without refined labels.

Planned by us; the caption of the paper's Figure 6 is not known. The protocol is that of
Figure 2 on another data set. Expected at full size, from the log of others: PGD-20
accuracy of adversarial training falls from 27.8 to 20.7 %. All thresholds are ours.
"""

from functools import partial

import pandas as pd

from rofit.measures import epochs
from rofit.measures.claims import Claim, at_least
from rofit.measures.epochs import by_epoch, fall, is_full_size, pairs, runs_of
from rofit.measures.metrics import curve
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Figure 6"
STATUS = "planned by rofit"
DIAGNOSTICS: tuple[str, ...] = ()
BESIDE = True
METHODS = ("pgd_at", "sgls", "sglr")
COLUMNS = epochs.COLUMNS | {"test_clean": "accuracy on clean test images, fraction"}


def runs() -> list[RunSpec]:
    """Return the methods under the protocol of the authors' first release."""
    plain = RECIPES["sgls"].apply(RunSpec(dataset="cifar100"))
    return [plain.replace(method=method) for method in METHODS]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run and epoch."""
    curves = by_epoch(logs)
    run_columns = logs.drop_duplicates("run_id").set_index("run_id")[["method", "seed"]]
    clean = curve(logs, split="test", robust=False).stack().rename("test_clean")
    clean_rows = clean.reset_index().merge(
        run_columns, left_on="run_id", right_index=True
    )
    return curves.merge(
        clean_rows.drop(columns="run_id"), on=["method", "seed", "epoch"]
    )


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return whether robust accuracy falls, and less with refined labels."""
    points = partial(
        at_least, full_size=is_full_size(table), source="ours", unit="points"
    )
    claimed = [
        points(
            4,
            [fall(run) for run in runs_of(table, "pgd_at")],
            sentence="pgd_at: test robust accuracy falls from its best to the end",
        )
    ]
    return claimed + [
        points(
            2.5,
            [fall(a) - fall(b) for a, b in pairs(table, "pgd_at", method)],
            sentence=f"{method} falls by less than pgd_at",
        )
        for method in METHODS[1:]
    ]
