"""Tables of every analysis with random numbers, for pictures drawn of them.

Three seeds, and no two numbers alike: a mean is no median, a standard deviation is no
standard error, and no column passes for another. Among the methods is one that rofit
does not have: a user's own.
"""

import itertools
import random

import pandas as pd
from made_up_logs import saved

from rofit.reproduction import catalog

SEEDS = (3, 4, 8)
EPOCHS = (1, 2, 3, 4, 5, 6)
DROPS = (2, 4)
OWN = "focal_at"
FIVE = ("pgd_at", "label_smoothing", "sgls", "sglr", OWN)
GUIDED = ("pgd_at", "sgls", "sglr", OWN)
SOFT = ("pgd_at", "label_smoothing", "sglr", OWN)
NOISE = (0.0, 0.2, 0.4, 0.6)
Block = dict[str, tuple[object, ...]]


def _by_epoch(methods: tuple[str, ...]) -> list[Block]:
    return [{"method": methods, "seed": SEEDS, "epoch": EPOCHS}]


def _best_last(**names: tuple[str, ...]) -> list[Block]:
    ends = {"seed": SEEDS, "checkpoint": ("best", "last", "best on test")}
    attacks = {"attack": ("none", "pgd20", "cw100", "autoattack", "each_epoch")}
    return [{**names, **ends, **attacks}]


# What names the rows: a row for each combination, block after block. A name that a
# block lacks is empty in it; every other column of the analysis is filled.
BLOCKS: dict[str, list[Block]] = {
    "fig1_gradnorm": _by_epoch(("pgd_at", "sgls", OWN)),
    "fig2_label_assignment": _by_epoch(FIVE),
    "fig3_confidence": [
        {
            "method": FIVE,
            "seed": SEEDS,
            "checkpoint": ("best", "last"),
            "attack": ("none", "pgd20"),
            "predictions": ("correct", "incorrect"),
        }
    ],
    "fig4_memorization": [
        {"training": ("standard", "adversarial")} | block for block in _by_epoch(SOFT)
    ],
    "fig5_embedding": [
        {
            "method": SOFT,
            "label_noise": NOISE,
            "epoch": (3, 6),
        }
        | seeds
        for seeds in (
            {"seed": SEEDS[:1], "image": tuple(range(30))},
            {"seed": SEEDS[1:]},
        )
    ],
    "fig6_cifar100": _by_epoch(GUIDED),
    "fig7_iiw": _by_epoch(FIVE),
    "fig8_iiw_noise": [
        {
            "method": SOFT,
            "seed": SEEDS,
            "label_noise": NOISE,
        }
    ],
    "fig9_ablation": [
        {"varied": ("r",), "value": (0.0, 0.5, 0.8, 1.0), "seed": SEEDS},
        {"varied": ("label_momentum",), "value": (0.8, 0.9, 0.95), "seed": SEEDS},
        {"varied": ("start",), "value": (0.2, 0.445, 0.6, 0.8), "seed": SEEDS},
        {"varied": ("pgd_at",), "seed": SEEDS},
    ],
    "fig10_strength": [
        {
            "method": ("pgd_at", "sglr", OWN),
            "seed": SEEDS,
            "checkpoint": ("best", "last"),
        }
        | strength
        for strength in (
            {"varied": ("radius",), "strength": (0.0, 2.0, 4.0, 8.0, 16.0)},
            {"varied": ("steps",), "strength": (1.0, 20.0, 100.0, 1000.0)},
        )
    ],
    "fig11_landscape": [
        {"method": FIVE, "seed": SEEDS} | surface
        for surface in (
            {"surface": ("weights",), "a": (-1.0, -0.5, 0.0, 0.5, 1.0)},
            {
                "surface": ("inputs",),
                "u": (-8.0, -4.0, 0.0, 4.0, 8.0),
                "v": (-8.0, 0.0, 8.0),
            },
        )
    ],
    "fig12_calibration": [
        *_by_epoch(GUIDED),
        {"method": GUIDED, "seed": SEEDS, "epoch": (6,), "bin": tuple(range(15))},
    ],
    "theorem1_information": [
        {
            "method": FIVE,
            "images": ("train clean", "test clean", "test attacked"),
            "seed": (one,),
            "other_seed": (other,),
            "tenth": tuple(range(5)),
            "share": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        }
        for one, other in itertools.combinations(SEEDS, 2)
    ],
    "table1_main": _best_last(
        dataset=("cifar10", "cifar100"), method=("pgd_at", "sglr", "trades+sglr", OWN)
    ),
    "table2_remedies": _best_last(method=("awp", "trades", "sgls", OWN)),
    "table3_architectures": _best_last(
        model=("preact_resnet18", "wrn_34_10"), method=("pgd_at", "sgls", OWN)
    ),
    "table4_threats": _best_last(norm=("linf", "l2"), method=GUIDED),
    "table5_attacks": _best_last(method=GUIDED),
    "table6_datasets": _best_last(dataset=("svhn", "tiny_imagenet"), method=GUIDED),
    "table7_components": _best_last(variant=("neither", "history only", "both, SCE")),
    "table8_cost": [{"method": ("standard", *FIVE), "round": tuple(range(7))}],
    "table9_compositions": _best_last(
        augment=("crop_flip", "idbh_weak"),
        weights=("none", "awp+swa"),
        labels=("given", "label_smoothing", "sgls"),
    ),
}
_PLAIN: dict[str, object] = {
    "attack": "pgd20",
    "train_attack": "pgd7",
    "trained_radius": 8.0,
    "selected_on": "val",
    "published": "",
    "device": "cpu",
    "engine": "eager",
    "n": 250,
    "networks": 3,
    "batch_size": 25,
    "epochs": 6,
    "epoch": 6,
    "seed": SEEDS[0],
}


def random_table(name: str, scale: str = "demo") -> pd.DataFrame:
    """Return a table as the picture called *name* gets it, saved and read again."""
    draws = random.Random(name)
    rows = [
        dict(zip(block, values, strict=True))
        for block in BLOCKS[name]
        for values in itertools.product(*block.values())
    ]
    table = pd.DataFrame(rows)
    for column in catalog.load_analysis(name).COLUMNS:
        if column not in table:
            numbers = [draws.uniform(0.3, 0.7) for _ in rows]
            table[column] = _PLAIN.get(column, numbers)
    _make_whole(table, draws)
    if hasattr(catalog.load_figure(name), "draw"):  # tables keep the order of runs
        table = table.sample(frac=1, random_state=1)
    return saved(table.assign(scale=scale, data="digits, linf 8/255"))


def _make_whole(table: pd.DataFrame, draws: random.Random) -> None:
    """Fill what is no number of its own in each row: marks, counts, a run's numbers."""
    if "drop_follows" in table:
        table["drop_follows"] = table["epoch"].isin(DROPS)
    if "after_drop" in table:
        table["after_drop"] = table["epoch"] > DROPS[0]
    if "best" in table and "epoch" in table:
        runs = table.groupby(["method", "seed"])["epoch"]
        best = runs.transform(lambda run: draws.choice(EPOCHS[:-1]))
        table["best"] = table["epoch"] == best
        table["oracle"] = table["epoch"] == best + 1
    if "knn_accuracy" in table:
        runs = table.groupby(["method", "label_noise", "seed", "epoch"])
        for column in ("knn_accuracy", "silhouette"):
            table[column] = runs[column].transform("first")
        table["class"] = table["image"] % 10
    if "other_seed" in table:
        settings = table.groupby(["method", "images", "share"])
        table["error"] = settings["error"].transform("first")
    if "bin" in table:
        table["images"] = [draws.randrange(0, 40) for _ in table.index]
        table.loc[table["bin"] == 0, "images"] = 3  # 9 of all seeds: too few
        few = table["seed"].map(dict(zip(SEEDS, (4, 3, 3), strict=True)))
        table["images"] = table["images"].where(table["bin"] != 1, few)  # just enough
        empty = table["images"] == 0
        table.loc[empty, ["confidence", "accuracy"]] = float("nan")
    if "corrupted_given" in table and "label_noise" in table:
        table.loc[table["label_noise"] == 0, "corrupted_given"] = float("nan")


def values(table, column: str, **about) -> list[float]:
    """Return a column in the rows that agree with *about*."""
    return [
        row[column]
        for row in table.to_dict("records")
        if all(row[name] == value for name, value in about.items())
    ]
