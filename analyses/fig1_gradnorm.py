"""Robust overfitting, and the norm of the training gradient while it happens.

The paper's Figure 1 (its caption is known, its data are not): (a) the gradient norm
of PGD adversarial training of a PreAct ResNet-18 on CIFAR-10, (b) its robust accuracy
under PGD-20. The norm is said to ramp up while the robust accuracy on test images
falls. SGLS is drawn beside it, which is ours: the remedy should show neither.

Which norm the paper uses is not known; ours is the norm of the training step's
gradient, with the product with the weights' norm in the table (docs/diagnostics.md,
"Gradient norm"). All thresholds are ours, read off the public training logs of Wu et
al. 2020 (AWP).

Expected at full size: best test accuracy of pgd_at 50 to 53 % within a few epochs of
the first drop, 43 to 46 % at the end, 81 % on the training adversaries by then.
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
    spearman,
)
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Figure 1"
STATUS = "caption known"
DIAGNOSTICS = ("gradient_norm",)
BESIDE = True
METHODS = ("pgd_at", "sgls")
COLUMNS = epochs.COLUMNS | {
    "gradient_norm": "epoch mean of ||grad_w of the batch's mean loss||, train mode",
    "weight_norm": "epoch mean of ||w||",
    "gradient_weight_product": "epoch mean of the product, blind to weight scaling",
}


def runs() -> list[RunSpec]:
    """Return the two methods under the protocol of the authors' first release."""
    return [RECIPES["sgls"].apply(RunSpec(method=method)) for method in METHODS]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run and epoch."""
    return by_epoch(logs, "gradient_norm", "weight_norm", "gradient_weight_product")


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return what Figure 1 is held to say, as measured."""
    full_size = is_full_size(table)
    vanilla = runs_of(table, "pgd_at")
    ours = partial(at_least, full_size=full_size, source="ours")
    caption = partial(
        at_least, full_size=full_size, source="caption of Figure 1, threshold ours"
    )
    points = partial(ours, unit="points")
    return [
        caption(
            6,
            [fall(run) for run in vanilla],
            sentence="pgd_at: test robust accuracy falls from its best to the end",
            unit="points",
        ),
        points(
            10,
            [rise(run) for run in vanilla],
            sentence="pgd_at: meanwhile its training robust accuracy rises",
        ),
        points(
            30,
            [generalisation_gap(run) for run in vanilla],
            sentence="pgd_at: training minus test robust accuracy at the end",
        ),
        caption(
            0.5,
            [ramp(run, 0) for run in vanilla],
            sentence="pgd_at: gradient norm ramps up between the first two drops",
            unit="Spearman with epoch",
        ),
        caption(
            0.5,
            [ramp(run, 1) for run in vanilla],
            sentence="pgd_at: gradient norm ramps up after the second drop",
            unit="Spearman with epoch",
        ),
        caption(
            0.5,
            [-_spearman(_after(run, 0, to=None), "test_robust") for run in vanilla],
            sentence="pgd_at: after the first drop, the higher the norm, the lower the "
            "test robust accuracy",
            unit="minus Spearman",
        ),
        points(
            4,
            [fall(a) - fall(b) for a, b in pairs(table, "pgd_at", "sgls")],
            sentence="sgls falls by less than pgd_at",
        ),
    ]


def rise(run: pd.DataFrame) -> float:
    """Return how far training robust accuracy rises from the best epoch on, points."""
    best = run.loc[run["best"], "train_robust"].iloc[0]
    return 100 * float(run["train_robust"].iloc[-1] - best)


def _after(run: pd.DataFrame, drop: int, to: int | None = 1) -> pd.DataFrame:
    """Return the epochs after a drop (from 0) up to the *to*-th drop on, or the end.

    Empty where the drop never came.
    """
    drops = list(run.index[run["drop_follows"]])
    if len(drops) <= drop:
        return run.iloc[:0]
    last = drop + to if to else len(drops)
    until = drops[last] if last < len(drops) else run.index[-1]
    return run.loc[drops[drop] + 1 : until]


def ramp(run: pd.DataFrame, drop: int) -> float:
    """Return Spearman's correlation of gradient norm and epoch after a drop (from 0).

    Up to the next drop or the end; NaN for fewer than three epochs.
    """
    return _spearman(_after(run, drop).reset_index(), "epoch")


def _spearman(run: pd.DataFrame, other: str) -> float:
    return spearman(run["gradient_norm"], run[other])
