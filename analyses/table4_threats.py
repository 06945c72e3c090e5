"""Refined labels inside the l-infinity and the l2 ball.

Planned by us; the captions of the paper's tables are not known. l2: radius 128/255 by
steps of 15/255, as Rice et al. 2020 train. Their network falls from 71.6 to 68.2 % in
l2 (PGD-10), from 53.5 to 45.6 % in l-infinity. All thresholds are ours.
"""

import pandas as pd

from rofit.measures import best_last
from rofit.measures.claims import Claim
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Table 4"
STATUS = "planned by rofit"
DIAGNOSTICS = ()
METHODS = ("pgd_at", "sgls", "sglr")
L2 = {"norm": "l2", "epsilon": 128 / 255, "step_size": 15 / 255}
EVALUATIONS = best_last.EVALUATIONS
LEFT_OUT = best_last.LEFT_OUT
COLUMNS = {"norm": "of the threat model"} | best_last.COLUMNS
_FALL = {"linf": 6, "l2": 2}  # of adversarial training at full size, in points


def runs() -> list[RunSpec]:
    """Return three methods inside each ball; those in l-infinity are Figure 2's."""
    plain = [RECIPES["sgls"].apply(RunSpec(method=method)) for method in METHODS]
    return plain + [spec.replace(**L2) for spec in plain]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run, checkpoint and attack."""
    return best_last.by_checkpoint(logs, "norm")


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return whether adversarial training falls in both norms, and others by less."""
    attack = best_last.strongest(table)
    points = best_last.in_points(table)
    claimed = []
    for norm, rows in table.groupby("norm", sort=False):
        plain = best_last.falls(rows, "pgd_at", attack)
        claimed.append(
            points(
                _FALL[str(norm)],
                list(plain),
                sentence=f"{norm}: pgd_at's {attack} accuracy falls",
            )
        )
        for method in METHODS[1:]:
            refined = best_last.falls(rows, method, attack)
            claimed.append(
                points(
                    _FALL[str(norm)] - 1.5,
                    best_last.shared(plain, refined),
                    sentence=f"{norm}: {method}'s falls by less",
                )
            )
    return claimed
