"""Reliability of predictions under attack, and its error by epoch, of SGLR beside AT.

Planned by us; the caption of the paper's Figure 12 is not known. Left: accuracy against
confidence of attacked test images at the end of training, in 15 bins; right: the
expected calibration error by epoch. The table has the gradient norm of the training
step as well, Figure 1's, for what is claimed of the self-guided labels beside it.
The runs are those of Figure 2. All thresholds are ours.
"""

from functools import partial

import pandas as pd

from rofit.measures.claims import Claim, at_least
from rofit.measures.epochs import at_last, has_drops, is_full_size, pairs, spearman
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Figure 12"
STATUS = "planned by rofit"
DIAGNOSTICS = ("calibration", "gradient_norm")
METHODS = ("pgd_at", "sgls", "sglr")
COLUMNS = {
    "method": "training method",
    "seed": "of the run",
    "epoch": "whole epochs done",
    "gradient_norm": "epoch mean of ||grad_w of the batch's mean loss||, train mode",
    "after_drop": "whether the learning rate has dropped before",
    "drop_follows": "whether the learning rate drops after this epoch",
    "ece": "expected calibration error of attacked test images",
    "attack": "on the test images",
    "bin": "of confidence, 0 to 14; empty in an epoch's row",
    "confidence": "mean in the bin",
    "accuracy": "fraction of correct predictions in the bin",
    "images": "attacked test images in the bin",
}
_BINS = {
    "reliability_confidence": "confidence",
    "reliability_accuracy": "accuracy",
    "reliability_count": "images",
}


def runs() -> list[RunSpec]:
    """Return three of the runs of Figure 2."""
    return [RECIPES["sgls"].apply(RunSpec(method=method)) for method in METHODS]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run and epoch, then a row a run and bin of its last epoch."""
    keys = ["method", "seed", "epoch"]

    def value(metric: str, rows: pd.DataFrame) -> "pd.Series[float]":
        return rows[rows["metric"] == metric].set_index(keys)["value"]

    attacked = logs[(logs["split"] == "test") & (logs["attack"] != "none")]
    lr = value("learning_rate", logs)
    by_run = lr.groupby(level=["method", "seed"], observed=True)
    epochs = pd.DataFrame(
        {
            "gradient_norm": value("gradient_norm", logs),
            "ece": value("ece", attacked),
            "after_drop": lr < by_run.transform("max"),
            "drop_follows": (by_run.shift(-1) < lr) & has_drops(logs),
        }
    ).reset_index()
    bins = at_last(attacked[attacked["metric"].isin(list(_BINS))])
    wide = bins.pivot_table(
        index=[*keys, "bin"], columns="metric", values="value", observed=True
    )
    wide = wide.rename(columns=_BINS).reset_index()
    whole = pd.concat([epochs, wide]).assign(attack=attacked["attack"].iloc[0])
    return whole.reindex(columns=list(COLUMNS)).reset_index(drop=True)


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return what is expected of self-guided labels."""
    ours = partial(at_least, 0, full_size=is_full_size(table), source="ours")
    epochs = table[table["bin"].isna()]
    claimed = []
    for method in METHODS[1:]:
        both = pairs(epochs, "pgd_at", method)
        claimed += [
            ours(
                [100 * float(a["ece"].iloc[-1] - b["ece"].iloc[-1]) for a, b in both],
                sentence=f"{method}: better calibrated than pgd_at under attack, end",
                unit="points of ECE",
            ),
            ours(
                [-_ramp(run) for _, run in both],
                sentence=f"{method}: gradient norm does not ramp up after the drops",
                unit="minus Spearman with epoch",
            ),
        ]
    return claimed


def _ramp(run: pd.DataFrame) -> float:
    after = run[run["after_drop"].astype(bool)]
    return spearman(after.index.to_series(), after["gradient_norm"])
