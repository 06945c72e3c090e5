"""Remedies of robust overfitting on one trainer: best, last and their difference.

Planned by us; the captions of the paper's tables are not known. Every method under the
protocol of the authors' first release, with its own parameters at its source's values
and nothing else of its source's recipe, so that only the method differs. Steps of a
moving average are the source's however short the run. All thresholds are ours.
"""

import pandas as pd

from rofit.measures import best_last
from rofit.measures.claims import Claim
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Table 2"
STATUS = "planned by rofit"
DIAGNOSTICS = ()
BESIDE = True
METHODS = (
    "pgd_at",
    "label_smoothing",
    "trades",
    "awp",
    "mlcat_ls",
    "weight_ema",
    "swa",
    "kd_swa",
    "sat",
    "te",
    "adr",
    "sgls",
    "sglr",
    "n_fgsm",
    "nuat",
    "fgsm_pgi",
    "hat",
    "rslad",
    "ard",
    "rebat",
    "ikl",
)
BY_LABELS = ("label_smoothing", "kd_swa", "sat", "te", "adr", "sgls")
EVALUATIONS = best_last.EVALUATIONS
LEFT_OUT = best_last.LEFT_OUT
COLUMNS = best_last.COLUMNS


def runs() -> list[RunSpec]:
    """Return a run a method; four of them are Figure 2's."""
    return [RECIPES["sgls"].apply(RunSpec(method=method)) for method in METHODS]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run, checkpoint and attack."""
    return best_last.by_checkpoint(logs)


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return who falls by less than adversarial training, and where SGLR stands."""
    attack = best_last.strongest(table)
    points = best_last.in_points(table)
    plain = best_last.falls(table, "pgd_at", attack)
    claimed = [
        points(
            4 if method in ("sgls", "sglr") else 0,
            best_last.shared(plain, best_last.falls(table, method, attack)),
            sentence=f"{method}: {attack} accuracy falls by less than pgd_at's",
        )
        for method in METHODS[1:]
    ]
    sglr = best_last.by_seed(table, "sglr", attack, "last")
    others = pd.DataFrame(
        {m: best_last.by_seed(table, m, attack, "last") for m in BY_LABELS}
    )
    claimed.append(
        points(
            -1,
            best_last.shared(sglr, others.max(axis=1)),
            sentence=f"sglr (our reading): last {attack} accuracy minus that of the "
            "best other method of labels",
        )
    )
    return claimed
