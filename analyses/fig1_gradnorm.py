"""Robust overfitting, and the norm of the training gradient while it happens.

The paper's Figure 1 (its caption is known, its data are not): (a) the gradient norm
of PGD adversarial training of a PreAct ResNet-18 on CIFAR-10, (b) its robust accuracy
under PGD-20. The norm is said to ramp up while the robust accuracy on test images
falls. SGLS is drawn beside it, which is ours: the remedy should show neither.

Which norm the paper uses is not known; ours is the norm of the training step's
gradient, with the product with the weights' norm in the table (PAPER 6.1 of the
project's notes). All thresholds are ours, read off the public training logs of Wu et
al. 2020 (AWP).

Expected at full size: best test accuracy of pgd_at 50 to 53 % within a few epochs of
the first drop, 43 to 46 % at the end, 81 % on the training adversaries by then.
"""

from functools import partial

import pandas as pd
from scipy.stats import spearmanr

from rofit.claims import Claim, at_least
from rofit.metrics import best_last_gap, curve
from rofit.recipes import RECIPES
from rofit.spec import RunSpec

PAPER = "Figure 1"
STATUS = "caption known"
DIAGNOSTICS = ("gradient_norm",)
METHODS = ("pgd_at", "sgls")
COLUMNS = {
    "method": "training method",
    "seed": "of the run",
    "epoch": "whole epochs done",
    "gradient_norm": "epoch mean of ||grad_w of the batch's mean loss||, train mode",
    "weight_norm": "epoch mean of ||w||",
    "gradient_weight_product": "epoch mean of the product, blind to weight scaling",
    "train_robust": "accuracy on the training adversaries, on the fly, fraction",
    "val_robust": "accuracy under PGD on validation images, fraction",
    "test_robust": "accuracy under PGD on test images, fraction",
    "attack": "of val_robust and test_robust",
    "n_test": "test images",
    "lr": "learning rate of the epoch",
    "drop_follows": "whether the learning rate drops after this epoch",
    "selected_on": "split that chooses the best epoch",
    "best": "whether this is the run's best epoch",
    "oracle": "whether the test images themselves would choose this epoch",
}

_FULL_EPOCHS = 200


def runs() -> list[RunSpec]:
    """Return the two methods under the protocol of the authors' first release."""
    return [RECIPES["sgls"].apply(RunSpec(method=method)) for method in METHODS]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run and epoch."""
    about = logs.drop_duplicates("run_id").set_index("run_id")
    chosen = best_last_gap(logs)
    measured = {
        name: curve(logs, split="train", metric=name)
        for name in ("gradient_norm", "weight_norm", "gradient_weight_product")
    } | {f"{split}_robust": curve(logs, split=split) for split in _splits(logs)}
    lr = curve(logs, split="train", metric="learning_rate")
    tested = logs[(logs["split"] == "test") & (logs["attack"] != "none")].iloc[0]
    parts = []
    for run_id in chosen.index:
        epochs = lr.index
        part = pd.DataFrame({name: seen[run_id] for name, seen in measured.items()})
        part["method"] = about.loc[run_id, "method"]
        part["seed"] = about.loc[run_id, "seed"]
        part["epoch"] = epochs
        part["attack"] = tested["attack"]
        part["n_test"] = int(tested["n"])
        part["lr"] = lr[run_id]
        part["drop_follows"] = part["lr"].shift(-1) < part["lr"]
        part["selected_on"] = chosen.loc[run_id, "selected_on"]
        part["best"] = part["epoch"] == chosen.loc[run_id, "best_epoch"]
        part["oracle"] = part["epoch"] == chosen.loc[run_id, "oracle_epoch"]
        parts.append(part)
    return pd.concat(parts).reindex(columns=list(COLUMNS)).reset_index(drop=True)


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return what Figure 1 is held to say, as measured."""
    epochs = table["epoch"].max()
    full_size = bool((table["scale"] == "paper").all()) and epochs == _FULL_EPOCHS
    by_method = {
        method: [run.set_index("epoch") for _, run in rows.groupby("seed")]
        for method, rows in table.groupby("method")
    }
    vanilla, remedy = by_method["pgd_at"], by_method["sgls"]
    ours = partial(at_least, full_size=full_size, source="ours")
    caption = partial(
        at_least, full_size=full_size, source="caption of Figure 1, threshold ours"
    )
    points = partial(ours, unit="points")
    return [
        caption(
            6,
            [_fall(run) for run in vanilla],
            sentence="pgd_at: test robust accuracy falls from its best to the end",
            unit="points",
        ),
        points(
            10,
            [_rise(run) for run in vanilla],
            sentence="pgd_at: meanwhile its training robust accuracy rises",
        ),
        points(
            30,
            [_generalisation_gap(run) for run in vanilla],
            sentence="pgd_at: training minus test robust accuracy at the end",
        ),
        caption(
            0.5,
            [_ramp(run, 0) for run in vanilla],
            sentence="pgd_at: gradient norm ramps up between the first two drops",
            unit="Spearman with epoch",
        ),
        caption(
            0.5,
            [_ramp(run, 1) for run in vanilla],
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
            [_fall(a) - _fall(b) for a, b in zip(vanilla, remedy, strict=True)],
            sentence="sgls falls by less than pgd_at",
        ),
    ]


def _splits(logs: pd.DataFrame) -> list[str]:
    return [name for name in ("train", "val", "test") if (logs["split"] == name).any()]


def _fall(run: pd.DataFrame) -> float:
    best = run.loc[run["best"], "test_robust"].iloc[0]
    return 100 * float(best - run["test_robust"].iloc[-1])


def _rise(run: pd.DataFrame) -> float:
    best = run.loc[run["best"], "train_robust"].iloc[0]
    return 100 * float(run["train_robust"].iloc[-1] - best)


def _generalisation_gap(run: pd.DataFrame) -> float:
    return 100 * float(run["train_robust"].iloc[-1] - run["test_robust"].iloc[-1])


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


def _ramp(run: pd.DataFrame, drop: int) -> float:
    return _spearman(_after(run, drop).reset_index(), "epoch")


def _spearman(run: pd.DataFrame, other: str) -> float:
    if len(run) < 3 or run[other].nunique() < 2 or run["gradient_norm"].nunique() < 2:
        return float("nan")
    return float(spearmanr(run["gradient_norm"], run[other]).statistic)
