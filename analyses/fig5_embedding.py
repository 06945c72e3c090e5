"""Representations learned by standard training from noisy labels, as t-SNE maps.

The paper's Figure 5: representations learned by standard training with hard labels,
soft labels and SGLR, under symmetric noise of 0, 20, 40 and 60 % (its caption is known;
which features, and how they are drawn, is not). Ours: pooled penultimate features of
clean test images, PCA to 50 dimensions, t-SNE with perplexity 30; soft labels are
smoothed ones, and sglr is our reading. A map can say nearly anything: the k-nearest-
neighbour accuracy and the silhouette beside it are measured in the features themselves.
The runs with 40 % noise are those of Figure 4. All thresholds are ours.
"""

from functools import partial

import pandas as pd

from rofit.measures.claims import Claim, at_least
from rofit.measures.epochs import is_full_size, pairs
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Figure 5"
STATUS = "caption known"
DIAGNOSTICS = ("embedding",)
SAMPLES = ("embedding",)
METHODS = ("pgd_at", "label_smoothing", "sglr")
NOISE = (0.0, 0.2, 0.4, 0.6)
COLUMNS = {
    "method": "training method: its labels; the radius is 0",
    "label_noise": "share of training labels redrawn",
    "seed": "of the run",
    "epoch": "whole epochs done",
    "knn_accuracy": "leave-one-out, k = 20, of clean test features, fraction",
    "silhouette": "mean over test images, -1 to 1",
    "image": "position in the test part; empty for seeds that are not mapped",
    "class": "its true class",
    "tsne_1": "first coordinate of the map, aligned over a run's epochs",
    "tsne_2": "second coordinate",
}
_RUN = ["method", "label_noise", "seed"]


def runs() -> list[RunSpec]:
    """Return each method's labels in standard training at each share of noise."""
    return [
        RECIPES["sgls"].apply(RunSpec(method=method, label_noise=noise, epsilon=0.0))
        for noise in NOISE
        for method in METHODS
    ]


def table(logs: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Return a row an image and epoch of the first seed; one an epoch of the others."""
    test = logs[logs["split"] == "test"]
    numbers = test[test["metric"].isin(["knn_accuracy", "silhouette"])].pivot_table(
        index=["run_id", *_RUN, "epoch"],
        columns="metric",
        values="value",
        observed=True,
    )
    numbers = numbers.reindex(columns=["knn_accuracy", "silhouette"]).reset_index()
    mapped = samples[samples["seed"] == samples["seed"].min()]
    whole = numbers.merge(_maps(mapped), on=["run_id", "epoch"], how="left")
    return whole.reindex(columns=list(COLUMNS))


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return what Figure 5 is held to say, in the features, at the end of training."""
    last = table[table["epoch"] == table["epoch"].max()]
    last = last.drop_duplicates(_RUN)
    points = partial(
        at_least,
        full_size=is_full_size(table),
        source="caption of Figure 5, threshold ours",
        unit="points",
    )
    both = pairs(last, "pgd_at", "sglr", "label_noise")
    return [
        *(
            points(
                5,
                [100 * _gain(hard, soft, noise) for hard, soft in both],
                sentence=f"{noise:.0%} noise: k-NN accuracy of sglr above that of "
                "given labels",
            )
            for noise in NOISE[2:]
        ),
        points(
            0,
            [100 * (_loss(hard) / 2 - _loss(soft)) for hard, soft in both],
            sentence="from 0 to 60 % noise sglr loses less than half of the k-NN "
            "accuracy that given labels lose",
        ),
    ]


def _maps(samples: pd.DataFrame) -> pd.DataFrame:
    """Return a row an image and epoch of each run, with its place on the map."""
    from rofit.measures.tsne import aligned_maps

    names = [name for name in samples if str(name).startswith("component_")]
    frames = []
    for run_id, run in samples.groupby("run_id", observed=True):
        by_epoch = {e: run[run["epoch"] == e] for e in set(run["epoch"])}
        usable = {e: rows[names].dropna(axis=1) for e, rows in by_epoch.items()}
        maps = aligned_maps({e: rows.to_numpy() for e, rows in usable.items()})
        for epoch, places in maps.items():
            part = by_epoch[epoch][["position", "y"]]
            part = part.rename(columns={"position": "image", "y": "class"})
            coordinates = {"tsne_1": places[:, 0], "tsne_2": places[:, 1]}
            frames.append(part.assign(run_id=str(run_id), epoch=epoch, **coordinates))
    return pd.concat(frames)


def _gain(hard: pd.DataFrame, soft: pd.DataFrame, noise: float) -> float:
    return _knn(soft, noise) - _knn(hard, noise)


def _loss(run: pd.DataFrame) -> float:
    return _knn(run, NOISE[0]) - _knn(run, NOISE[-1])


def _knn(run: pd.DataFrame, noise: float) -> float:
    return float(run["knn_accuracy"].reindex([noise]).iloc[0])
