"""Loss landscapes around the weights and around the images, at the end of training.

Planned by us; the caption of the paper's Figure 11 is not known. Mean cross entropy of
test images with attacks made anew at every place along one random, filter-normalised
direction in the weights, and on the plane of the input gradient's sign and of random
signs. A flat valley in the weights is said to go with less robust overfitting; a loss
that rises with the gradient's sign and hardly with random signs, smoothly, says that
the attack is not hindered. The runs are those of Figure 2. All thresholds are ours.
"""

from functools import partial

import pandas as pd

from rofit.measures.claims import Claim, at_least
from rofit.measures.epochs import at_last, is_full_size, pairs
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Figure 11"
STATUS = "planned by rofit"
DIAGNOSTICS = ("landscape",)
METHODS = ("pgd_at", "label_smoothing", "sgls", "sglr")
COLUMNS = {
    "method": "training method",
    "seed": "of the run",
    "epoch": "whole epochs done: the last",
    "surface": "weights or inputs",
    "a": "place along the direction in the weights, relative to the weights' norm",
    "u": "step along the sign of the input gradient, in 1/255",
    "v": "step along random signs, in 1/255",
    "loss": "mean cross entropy with given classes, nats",
    "attack": "on the images, at every place anew; none on the plane of inputs",
    "n": "test images",
}
_SURFACES = {"weight_loss": "weights", "input_loss": "inputs"}


def runs() -> list[RunSpec]:
    """Return the runs of Figure 2."""
    return [RECIPES["sgls"].apply(RunSpec(method=method)) for method in METHODS]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run and place."""
    rows = logs[logs["metric"].isin(list(_SURFACES))]
    rows = at_last(rows).rename(columns={"value": "loss"})
    surface = [_SURFACES[name] for name in rows["metric"]]
    places = rows.assign(surface=surface).reindex(columns=list(COLUMNS))
    return places.reset_index(drop=True)


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return what is expected of both surfaces."""
    weights = table[(table["surface"] == "weights") & (table["a"].abs() == 0.5)]
    centre = table[(table["surface"] == "weights") & (table["a"] == 0)]
    nats = partial(
        at_least, 0, full_size=is_full_size(table), source="ours", unit="nats"
    )
    inputs = table[table["surface"] == "inputs"]
    claimed = [
        nats(
            [
                _rise(a, b) - _rise(c, d)
                for (a, c), (b, d) in zip(
                    pairs(weights, "pgd_at", method, "a"),
                    pairs(centre, "pgd_at", method, "a"),
                    strict=True,
                )
            ],
            sentence=f"{method}: the robust loss rises by less than that of pgd_at at "
            "half a weight's norm",
        )
        for method in METHODS[1:]
    ]
    return claimed + [
        nats(
            [_slope(run) for _, run in inputs[inputs["method"] == m].groupby("seed")],
            sentence=f"{m}: 8/255 along the gradient's sign raise the loss by more "
            "than 8/255 along random signs",
        )
        for m in METHODS
    ]


def _rise(places: pd.DataFrame, centre: pd.DataFrame) -> float:
    return float(places["loss"].mean() - centre["loss"].mean())


def _slope(run: pd.DataFrame) -> float:
    """Return the loss at the gradient's end minus the mean at the random ends."""
    loss = run.set_index(["u", "v"])["loss"]
    end = max(run["u"])
    return float(loss[end, 0.0] - (loss[0.0, end] + loss[0.0, -end]) / 2)
