"""Robust accuracy under different ways to assign training labels.

The paper's Figure 2: its caption is known, which label assignments it compares is not.
Ours: given labels (pgd_at), smoothed ones, and labels guided by the network's own
predictions, as the first release makes them (sgls) and by our reading of the paper
(sglr). The runs of pgd_at and sgls are those of Figure 1.

Expected at full size, from the picture in the authors' release (read off, no data):
pgd_at falls from 52.4 to 45.2 %, smoothed labels from 52.7 to 46.9 %, sgls from 55.7 to
54.7 %. All thresholds are ours.
"""

from functools import partial

import pandas as pd

from rofit.measures import epochs
from rofit.measures.claims import Claim, at_least
from rofit.measures.epochs import (
    by_epoch,
    fall,
    generalisation_gap,
    is_full_size,
    pairs,
    runs_of,
)
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Figure 2"
STATUS = "caption known"
DIAGNOSTICS: tuple[str, ...] = ()
BESIDE = True
METHODS = ("pgd_at", "label_smoothing", "sgls", "sglr")
COLUMNS = epochs.COLUMNS


def runs() -> list[RunSpec]:
    """Return the four methods under the protocol of the authors' first release."""
    return [RECIPES["sgls"].apply(RunSpec(method=method)) for method in METHODS]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run and epoch."""
    return by_epoch(logs)


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return what Figure 2 is held to say, as measured."""
    hard = runs_of(table, "pgd_at")
    smooth, sgls, sglr = (
        pairs(table, "pgd_at", method) for method in ("label_smoothing", "sgls", "sglr")
    )
    points = partial(
        at_least, full_size=is_full_size(table), source="ours", unit="points"
    )
    caption = partial(points, source="caption of Figure 2, threshold ours")
    return [
        caption(6, [fall(run) for run in hard], sentence="given labels: fall"),
        caption(
            1,
            [fall(a) - fall(b) for a, b in smooth],
            sentence="smoothed labels fall by less than given ones",
        ),
        caption(
            4,
            [fall(a) - fall(b) for a, b in sgls],
            sentence="sgls falls by less than given labels",
        ),
        caption(
            4,
            [fall(a) - fall(b) for a, b in sglr],
            sentence="sglr (our reading) falls by less than given labels",
        ),
        points(
            2,
            [_best(b) - _best(a) for a, b in sgls],
            sentence="sgls: its best is above the best of given labels",
        ),
        points(
            18,
            [generalisation_gap(a) - generalisation_gap(b) for a, b in sgls],
            sentence="sgls ends with a smaller train-test gap than given labels",
        ),
    ]


def _best(run: pd.DataFrame) -> float:
    return 100 * float(run.loc[run["best"], "test_robust"].iloc[0])
