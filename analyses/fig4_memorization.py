"""What is learnt of labels drawn at random, in standard and adversarial training.

The paper's Figure 4: CIFAR-10 with 40 % symmetric label noise, the training set in an
untouched and a corrupted portion (its caption is known; whether training is standard or
adversarial, and which methods are compared, is not). Ours: both kinds of training, with
given labels, smoothed ones, and sglr (our reading). Accuracies are of clean images.

Noise redraws labels over all classes, so that with 10 classes one corrupted label in
ten is the true one, and predicting them is right by chance for one in ten as well.
All thresholds are ours.
"""

from functools import partial

import pandas as pd

from rofit.measures.claims import Claim, at_least
from rofit.measures.epochs import is_full_size, pairs, runs_of
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Figure 4"
STATUS = "caption known"
DIAGNOSTICS = ("memorisation",)
METHODS = ("pgd_at", "label_smoothing", "sglr")
NOISE = 0.4
CHANCE = 0.1  # of ten classes
COLUMNS = {
    "training": "standard (radius 0) or adversarial",
    "method": "training method: its labels",
    "seed": "of the run",
    "epoch": "whole epochs done",
    "untouched_given": "accuracy on untouched training images, fraction",
    "corrupted_given": "the same on corrupted ones, against given labels: memorised",
    "corrupted_true": "the same against their true labels: corrected",
    "ever_learnt": "corrupted labels that were predicted at any epoch, fraction",
    "forgotten": "those that were, and are not any more",
    "test_clean": "accuracy on clean test images, fraction",
    "test_robust": "accuracy on attacked ones; the clean one in standard training",
}
_RUN = ["training", "method", "seed"]


def runs() -> list[RunSpec]:
    """Return each method's labels in adversarial and in standard training."""
    return [
        RECIPES["sgls"].apply(
            RunSpec(method=method, label_noise=NOISE, epsilon=epsilon)
        )
        for epsilon in (8 / 255, 0.0)
        for method in METHODS
    ]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run and epoch."""
    training = logs["epsilon"].gt(0).map({True: "adversarial", False: "standard"})
    logs = logs.assign(training=training)
    test = logs[(logs["split"] == "test") & (logs["metric"] == "accuracy")]
    clean = logs[(logs["split"] == "train") & (logs["attack"] == "none")]
    portions = clean[clean["metric"] == "portion_accuracy"]

    def by_epoch(rows: pd.DataFrame) -> "pd.Series[float]":
        return rows.set_index([*_RUN, "epoch"])["value"]

    def portion(name: str, labels: str) -> "pd.Series[float]":
        chosen = (portions["portion"] == name) & (portions["labels"] == labels)
        return by_epoch(portions[chosen])

    columns = {
        "untouched_given": portion("untouched", "given"),
        "corrupted_given": portion("corrupted", "given"),
        "corrupted_true": portion("corrupted", "true"),
        "ever_learnt": by_epoch(clean[clean["metric"] == "corrupted_ever_learnt"]),
        "forgotten": by_epoch(clean[clean["metric"] == "corrupted_forgotten"]),
        "test_clean": by_epoch(test[test["attack"] == "none"]),
        "test_robust": by_epoch(test[test["attack"] != "none"]),
    }
    whole = pd.DataFrame(columns).reset_index()
    return whole.reindex(columns=list(COLUMNS)).sort_values([*_RUN, "epoch"])


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return what Figure 4 is held to say, as measured, for both kinds of training."""
    points = partial(
        at_least,
        full_size=is_full_size(table),
        source="caption of Figure 4, threshold ours",
        unit="points",
    )
    claimed = []
    for training, excess in (("standard", 50), ("adversarial", 20)):
        rows = table[table["training"] == training]
        given, both = runs_of(rows, "pgd_at"), pairs(rows, "pgd_at", "sglr")
        claimed += [
            points(
                excess,
                [_memorised(run) for run in given],
                sentence=f"{training}: given labels end with corrupted ones memorised "
                "beyond chance",
            ),
            points(
                0,
                [_memorised(a) / 2 - _memorised(b) for a, b in both],
                sentence=f"{training}: sglr memorises at most half of that",
            ),
            points(
                6,
                [_fall(a) - _fall(b) for a, b in both],
                sentence=f"{training}: sglr's clean test accuracy falls by less from "
                "its highest",
            ),
        ]
    return claimed


def _memorised(run: pd.DataFrame) -> float:
    return 100 * float(run["corrupted_given"].iloc[-1] - CHANCE)


def _fall(run: pd.DataFrame) -> float:
    return 100 * float(run["test_clean"].max() - run["test_clean"].iloc[-1])
