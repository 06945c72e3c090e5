"""The information in weights about labels, measured on ensembles: Theorem 1.

The paper's Theorem 1 says that soft labels could reduce the information in weights; of
its inequality we know only the opening. What is checked here (ours): (a) the exact
statement I(w; y*) <= lambda I(w; y) for predictions mixed with the uniform distribution
at the share 1 - lambda, by convexity; it must hold on every measured distribution; and
(b) the empirical claim that networks trained on softened labels tell less about their
weights than those trained on given ones (docs/method.md, "Theorem 1"). Every two
networks of one method, of other seeds, are an ensemble at the end of training; 3 seeds
are few: --seeds 5 is better. The runs are those of Figure 2. Claims count what other
seeds and other images would change: the jackknife over networks, whose pairs are left
out in turn, and the spread over tenths of the images, which all networks share.
"""

from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from rofit.measures.claims import FEWEST, Claim, at_least, in_every
from rofit.measures.epochs import is_full_size
from rofit.measures.information import (
    Floats,
    ensemble_information,
    mixed,
    over_networks,
)
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Theorem 1"
STATUS = "planned by rofit"
DIAGNOSTICS = ("predictions",)
SAMPLES = ("predictions",)
METHODS = ("pgd_at", "label_smoothing", "sgls", "sglr")
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
TENTHS = 10
COLUMNS = {
    "method": "training method",
    "images": "which: test clean, test attacked (each network's own), train clean",
    "tenth": "of these images, by position",
    "n": "images in the tenth",
    "networks": "of the method, a seed each",
    "seed": "of the pair's first network",
    "other_seed": "of its second; empty where there is only one network",
    "epoch": "whole epochs done: the last",
    "share": "lambda: 1 - share of the uniform distribution",
    "information": "mean I(w; y*) of the mixed predictions, nats",
    "bound": "share times the information at share 1",
    "slack": "smallest bound - information of a single image",
    "error": "standard error over networks of a method's mean information, its images "
    "and share; empty for fewer than three",
}
_NAMES = {(0, 0): "train clean", (1, 0): "test clean", (1, 1): "test attacked"}


def runs() -> list[RunSpec]:
    """Return the runs of Figure 2."""
    return [RECIPES["sgls"].apply(RunSpec(method=method)) for method in METHODS]


def table(logs: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Return a row a method, kind of images, pair of networks, tenth, and share."""
    last = samples[samples["epoch"] == samples["epoch"].max()]
    probabilities = [c for c in samples if str(c)[0] == "p" and str(c)[1:].isdigit()]
    rows = []
    for method, of_method in last.groupby("method", observed=True):
        for code, predictions in of_method.groupby(["split", "attacked"]):
            networks = {}
            for seed, run in predictions.groupby("seed"):
                p = run.sort_values("position")[probabilities].to_numpy(dtype=float)
                networks[seed] = p / p.sum(axis=-1, keepdims=True)  # stored as float32
            common = {
                "method": method,
                "images": _NAMES[code],
                "networks": len(networks),
                "epoch": predictions["epoch"].max(),
            }
            for pair in [*combinations(networks, 2)] or [tuple(networks)]:
                both = np.stack([networks[seed] for seed in pair])
                seeds = dict(zip(("seed", "other_seed"), pair, strict=False))
                rows += [common | seeds | row for row in _by_tenth(both)]
    measured = pd.DataFrame(rows).reindex(columns=[*COLUMNS][:-1])
    setting = ["method", "images", "share"]
    errors = measured.groupby(setting).apply(_standard_error).rename("error")
    return measured.join(errors, on=setting)


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return the exact statement, then what is expected of softer labels."""
    exact = in_every(
        -1e-12,  # rounding
        list(table.groupby(["method", "seed", "other_seed"])["slack"].min()),
        sentence="share * I(w; y) - I(w; y*), the smallest of all images and shares",
        unit="nats",
        source="derived by us, implies what we take Theorem 1 to say",
    )
    below = partial(
        at_least,
        0,
        full_size=is_full_size(table),
        unit="nats (over networks and images)",
        source="abstract of the paper, measure ours",
    )
    return [exact] + [
        below(
            **_less(table[table["images"] == images], method),
            sentence=f"{images}: {method}'s ensemble holds less information than "
            "that of pgd_at",
        )
        for images in _NAMES.values()
        for method in METHODS[1:]
    ]


def _standard_error(rows: pd.DataFrame) -> float:
    pairs = rows.groupby(["seed", "other_seed"])["information"].mean()
    if rows["networks"].min() < FEWEST:
        return np.nan
    return float(over_networks(pairs).std(ddof=1) / np.sqrt(rows["networks"].min()))


def _less(rows: pd.DataFrame, method: str) -> dict[str, Any]:
    """Return by how much a method's information is below that of pgd_at, nats.

    A pseudo-value a seed, and the standard error over tenths.
    """
    pure = rows[(rows["share"] == 1) & (rows["networks"] > 1)]  # one agrees: 0
    keys = ["seed", "other_seed", "tenth", "method"]
    by_method = pure.set_index(keys)["information"].unstack()
    by_method = by_method.reindex(columns=["pgd_at", method])
    less = (by_method["pgd_at"] - by_method[method]).dropna().unstack("tenth")
    if less.empty:
        return {"values": []}
    return {
        "values": list(over_networks(less.mean(axis=1))),
        "error": float(less.mean().std() / np.sqrt(less.shape[1])),
    }


def _by_tenth(p: Floats) -> list[dict[str, float]]:
    """Return a row a tenth of the images and share, for p (M, n, K)."""
    whole = ensemble_information(p)
    rows = []
    tenths = np.array_split(np.arange(p.shape[1]), min(TENTHS, p.shape[1]))
    for tenth, part in enumerate(tenths):
        for share in SHARES:
            information = ensemble_information(mixed(p[:, part], share))
            bound = share * whole[part]
            rows.append(
                {
                    "tenth": tenth,
                    "n": len(part),
                    "share": share,
                    "information": information.mean(),
                    "bound": bound.mean(),
                    "slack": (bound - information).min(),
                }
            )
    return rows
