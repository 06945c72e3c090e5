"""Information in weights against the share of noisy labels.

Planned by us; the caption of the paper's Figure 8 is not known. Adversarial training
with 0, 20, 40 and 60 % of training labels redrawn; given, smoothed and self-guided
labels (sglr, our reading). The estimate is that of Figure 7, at the end of training;
beside it, how many of the corrupted labels are predicted. All thresholds are ours.
"""

from functools import partial

import pandas as pd
from rofit.analyses.fig7_iiw import information, lowest

from rofit.measures.claims import Claim, at_least
from rofit.measures.epochs import at_last, is_full_size, pairs, spearman
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Figure 8"
STATUS = "planned by rofit"
DIAGNOSTICS = ("information_in_weights",)  # and memorisation, where labels are noisy
METHODS = ("pgd_at", "label_smoothing", "sglr")
NOISE = (0.0, 0.2, 0.4, 0.6)
COLUMNS = {
    "method": "training method",
    "label_noise": "share of training labels redrawn",
    "seed": "of the run",
    "epoch": "whole epochs done: the last",
    "iiw_fisher": "mean of (d^T grad l_i)^2, all layers, nats^2",
    "iiw_code": "square of the mean of d^T grad l_i, all layers, nats^2",
    "attack": "on the training images of both estimates",
    "corrupted_given": "corrupted labels predicted on clean images, fraction",
}


def runs() -> list[RunSpec]:
    """Return each method at each share of noisy labels."""
    return [
        RECIPES["sgls"].apply(RunSpec(method=method, label_noise=noise))
        for noise in NOISE
        for method in METHODS
    ]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run: its last epoch."""
    rows = at_last(information(logs))
    fit = logs[logs["metric"] == "portion_accuracy"]
    if len(fit):
        of_given = (fit["portion"] == "corrupted") & (fit["labels"] == "given")
        fit = fit[of_given & (fit["attack"] == "none")]
    fit = fit[["run_id", "epoch", "value"]].rename(columns={"value": "corrupted_given"})
    rows = rows.merge(fit, on=["run_id", "epoch"], how="left")
    return rows.reindex(columns=list(COLUMNS))


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return what is expected: noise is memorised, and softer labels hold less."""
    full_size = is_full_size(table)
    given = table[table["method"] == "pgd_at"]
    claimed = [
        at_least(
            0.8,
            [
                spearman(run["label_noise"], run["iiw_fisher"])
                for _, run in given.groupby("seed")
            ],
            full_size=full_size,
            sentence="pgd_at: iiw_fisher grows with the share of noisy labels",
            unit="Spearman with the share",
            source="ours",
        )
    ]
    below = partial(at_least, 0, full_size=full_size, source="ours", unit="decades")
    return claimed + [
        below(
            [
                lowest(a, b, "iiw_fisher")
                for a, b in pairs(table, "pgd_at", method, "label_noise")
            ],
            sentence=f"{method}: iiw_fisher below that of pgd_at at every share",
        )
        for method in METHODS[1:]
    ]
