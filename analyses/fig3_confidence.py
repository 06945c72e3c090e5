"""How sure networks are of correct and of incorrect predictions, clean and attacked.

The paper's Figure 3: mean confidence on correctly and on incorrectly classified test
images, over the clean and the adversarial test set (its caption is known; methods and
epochs are not). Ours: the four label assignments of Figure 2, the same runs, at the
best checkpoint and at the end. Confidence is the largest probability; the attack is
that of each epoch's evaluation and maximises the loss of the given classes.

Expected: where a network overfits robustly, confidence in what the attack has fooled it
into rises towards one; self-guided labels keep it low. Thresholds are ours.
"""

from functools import partial

import pandas as pd

from rofit.measures.claims import Claim, at_least
from rofit.measures.epochs import is_full_size
from rofit.measures.metrics import best_last_gap
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Figure 3"
STATUS = "caption known"
DIAGNOSTICS = ("confidence", "calibration")
METHODS = ("pgd_at", "label_smoothing", "sgls", "sglr")
COLUMNS = {
    "method": "training method",
    "seed": "of the run",
    "checkpoint": "best (chosen on held-out training images) or last",
    "epoch": "whole epochs done",
    "attack": "on the test images, none = clean",
    "predictions": "correct or incorrect",
    "confidence": "mean of the largest probability over them",
    "n": "such test images",
    "ece": "expected calibration error over all test images under this attack",
    "selected_on": "split that chooses the best epoch",
}
_METRICS = {"confidence_correct": "correct", "confidence_incorrect": "incorrect"}


def runs() -> list[RunSpec]:
    """Return the four methods under the protocol of the authors' first release."""
    return [RECIPES["sgls"].apply(RunSpec(method=method)) for method in METHODS]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run, checkpoint, attack and kind of prediction."""
    chosen = best_last_gap(logs)
    test = logs[logs["split"] == "test"]
    error = test[test["metric"] == "ece"].set_index(["run_id", "epoch", "attack"])
    measured = test[test["metric"].isin(list(_METRICS))]
    frames = []
    for run_id, choice in chosen.iterrows():
        run = measured[measured["run_id"] == run_id]
        for checkpoint, epoch in (
            ("best", choice["best_epoch"]),
            ("last", choice["epochs"]),
        ):
            part = run[run["epoch"] == epoch].assign(checkpoint=checkpoint)
            part["selected_on"] = choice["selected_on"]
            part["ece"] = [
                error["value"].get((run_id, epoch, attack), float("nan"))
                for attack in part["attack"]
            ]
            frames.append(part)
    whole = pd.concat(frames).rename(columns={"value": "confidence"})
    whole["predictions"] = [_METRICS[name] for name in whole["metric"]]
    return whole.reindex(columns=list(COLUMNS)).reset_index(drop=True)


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return what Figure 3 is held to say, as measured at the end of training."""
    end = table[(table["checkpoint"] == "last") & (table["attack"] != "none")]
    caption = partial(
        at_least,
        full_size=is_full_size(table),
        source="caption of Figure 3, threshold ours",
        unit="",
    )
    wrong = end[end["predictions"] == "incorrect"]
    claimed = [
        caption(
            0.10,
            _less(wrong, "confidence", remedy),
            sentence=f"{remedy}: less sure than pgd_at of incorrect predictions, "
            "adversarial test images, end",
        )
        for remedy in METHODS[1:]
    ]
    return [
        *claimed,
        *(
            caption(
                0,
                _less(end, "ece", remedy),
                sentence=f"{remedy}: better calibrated than pgd_at (ECE), adversarial "
                "test images, end",
            )
            for remedy in METHODS[2:]
        ),
    ]


def _less(rows: pd.DataFrame, column: str, remedy: str) -> list[float]:
    """Return by how much a method's value is below that of pgd_at, a number a seed."""
    by_seed = rows.pivot_table(
        index="seed", columns="method", values=column, observed=True
    )
    if not {"pgd_at", remedy} <= set(by_seed):
        return []
    return list((by_seed["pgd_at"] - by_seed[remedy]).dropna())
