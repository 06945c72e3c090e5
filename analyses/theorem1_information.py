"""The information in weights about labels, measured on ensembles: Theorem 1.

The paper's Theorem 1 says that soft labels could reduce the information in weights; of
its inequality we know only the opening. What is checked here (ours): (a) the exact
statement I(w; y*) <= lambda I(w; y) for predictions mixed with the uniform distribution
at the share 1 - lambda, by convexity; it must hold on every measured distribution; and
(b) the empirical claim that networks trained on softened labels tell less about their
weights than those trained on given ones (docs/method.md, "Theorem 1"). Networks of
several seeds are the ensemble, at the end of training; 3 seeds are few: --seeds 5 is
better. The runs are those of Figure 2. Claims are over tenths of the images, not over
seeds.
"""

from functools import partial

import numpy as np
import pandas as pd

from rofit.measures.claims import Claim, at_least
from rofit.measures.epochs import is_full_size
from rofit.measures.information import Floats, ensemble_information, mixed
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
    "networks": "in the ensemble, a seed each",
    "seed": "the smallest of the ensemble",
    "epoch": "whole epochs done: the last",
    "share": "lambda: 1 - share of the uniform distribution",
    "information": "mean I(w; y*) of the mixed predictions, nats",
    "bound": "share times the information at share 1",
    "slack": "smallest bound - information of a single image",
}
_NAMES = {(0, 0): "train clean", (1, 0): "test clean", (1, 1): "test attacked"}


def runs() -> list[RunSpec]:
    """Return the runs of Figure 2."""
    return [RECIPES["sgls"].apply(RunSpec(method=method)) for method in METHODS]


def table(logs: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Return a row a method, kind of images, tenth of them, and share."""
    last = samples[samples["epoch"] == samples["epoch"].max()]
    probabilities = [c for c in samples if str(c)[0] == "p" and str(c)[1:].isdigit()]
    rows = []
    for method, of_method in last.groupby("method", observed=True):
        for code, part in of_method.groupby(["split", "attacked"]):
            stacked = [
                run.sort_values("position")[probabilities].to_numpy(dtype=float)
                for _, run in part.groupby("seed")
            ]
            common = {
                "method": method,
                "images": _NAMES[code],
                "networks": len(stacked),
                "seed": part["seed"].min(),
                "epoch": part["epoch"].max(),
            }
            p = np.stack(stacked)
            p = p / p.sum(axis=-1, keepdims=True)  # stored as float32
            rows += [common | row for row in _by_tenth(p)]
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return the exact statement, then what is expected of softer labels."""
    exact = at_least(
        -1e-12,  # rounding
        [float(table["slack"].min())],
        full_size=True,  # a theorem has no size
        sentence="share * I(w; y) - I(w; y*), the smallest of all images and shares",
        unit="nats",
        source="derived by us, implies what we take Theorem 1 to say",
    )
    below = partial(
        at_least,
        0,
        full_size=is_full_size(table),
        unit="nats (n tenths of the images)",
        source="abstract of the paper, measure ours",
    )
    pure = table[(table["share"] == 1) & (table["networks"] > 1)]  # one agrees: 0
    by_method = pure.set_index(["images", "tenth", "method"])["information"].unstack()
    by_method = by_method.reindex(columns=list(METHODS))
    less = by_method.rsub(by_method["pgd_at"], axis=0)
    return [exact] + [
        below(
            list(less.loc[less.index.isin([images], "images"), method].dropna()),
            sentence=f"{images}: {method}'s ensemble holds less information than "
            "that of pgd_at",
        )
        for images in _NAMES.values()
        for method in METHODS[1:]
    ]


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
