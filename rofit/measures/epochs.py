"""The course of runs: a row a run and epoch, from which analyses are made. No torch.

Epochs after which test images were not evaluated (``eval_every``) have no row.
"""

import pandas as pd

from rofit.measures.metrics import best_last_gap, curve

COLUMNS = {
    "method": "training method",
    "seed": "of the run",
    "epoch": "whole epochs done",
    "train_robust": "accuracy on the training adversaries, on the fly, fraction",
    "val_robust": "accuracy under PGD on validation images, fraction",
    "test_robust": "accuracy under PGD on test images, fraction",
    "attack": "of val_robust and test_robust",
    "train_attack": "of train_robust: that of training",
    "n_test": "test images",
    "lr": "learning rate of the epoch",
    "drop_follows": "whether the learning rate drops after this epoch",
    "selected_on": "split that chooses the best epoch",
    "best": "whether this is the run's best epoch",
    "oracle": "whether the test images themselves would choose this epoch",
}
FULL_EPOCHS = 200  # of the protocol for which full-size thresholds hold


def by_epoch(logs: pd.DataFrame, *metrics: str) -> pd.DataFrame:
    """Return a row a run and evaluated epoch: COLUMNS, then training *metrics*."""
    specs = logs.drop_duplicates("run_id").set_index("run_id")
    chosen = best_last_gap(logs)
    curves = {
        f"{split}_robust": curve(logs, split=split)
        for split in ("train", "val", "test")
        if (logs["split"] == split).any()
    } | {name: curve(logs, split="train", metric=name) for name in metrics}
    curves["lr"] = curve(logs, split="train", metric="learning_rate")
    index = curves["test_robust"].index.union(curves["lr"].index).rename("epoch")
    tested = logs[(logs["split"] == "test") & (logs["attack"] != "none")].iloc[0]
    trained = logs[(logs["split"] == "train") & (logs["metric"] == "accuracy")]
    trained = trained[trained["attack"].notna() & (trained["attack"] != "none")]
    training_attacks = trained.drop_duplicates("run_id").set_index("run_id")["attack"]
    tables = []
    for run_id in chosen.index:
        table = pd.DataFrame(
            {n: c[run_id] for n, c in curves.items() if run_id in c}, index=index
        )
        table["method"] = specs.loc[run_id, "method"]
        table["seed"] = specs.loc[run_id, "seed"]
        table["epoch"] = index
        table["attack"] = tested["attack"]
        table["train_attack"] = training_attacks.get(run_id)
        table["n_test"] = tested["n"] if pd.isna(tested["n"]) else int(tested["n"])
        table = table if "lr" in table else table.assign(lr=float("nan"))
        table["drop_follows"] = (table["lr"].shift(-1) < table["lr"]) & has_drops(logs)
        table["selected_on"] = chosen.loc[run_id, "selected_on"]
        table["best"] = table["epoch"] == chosen.loc[run_id, "best_epoch"]
        table["oracle"] = table["epoch"] == chosen.loc[run_id, "oracle_epoch"]
        if (specs.loc[run_id].get("eval_every") or 1) > 1:  # unknown: every epoch
            evaluated = table["test_robust"].notna()
            table = table[evaluated | (table["epoch"] == table["epoch"].max())]
        tables.append(table)
    columns = [*COLUMNS, *metrics]
    return pd.concat(tables).reindex(columns=columns).reset_index(drop=True)


def is_full_size(table: pd.DataFrame) -> bool:
    """Return whether a published table is at the paper's scale and length."""
    at_paper = bool((table["scale"] == "paper").all())
    length = "epochs" if "epochs" in table else "epoch"
    return at_paper and int(table[length].max()) == FULL_EPOCHS


def at_last(rows: pd.DataFrame) -> pd.DataFrame:
    """Return those of *rows* that are of their run's last epoch."""
    last = rows.groupby("run_id", observed=True)["epoch"].transform("max")
    return rows[rows["epoch"] == last]


def runs_of(table: pd.DataFrame, method: str) -> list[pd.DataFrame]:
    """Return the runs of a method, a table by epoch each, in the order of seeds."""
    rows = table[table["method"] == method]
    return [run.set_index("epoch") for _, run in rows.groupby("seed")]


def pairs(
    table: pd.DataFrame, one: str, other: str, index: str = "epoch"
) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Return the runs of two methods, seed by seed, tables by *index* each."""
    paired = []
    for _, rows in table.groupby("seed"):
        both = [rows[rows["method"] == m].set_index(index) for m in (one, other)]
        if all(len(run) for run in both):
            paired.append((both[0], both[1]))
    return paired


def fall(run: pd.DataFrame) -> float:
    """Return test robust accuracy at the best epoch minus that at the end, points."""
    best = run.loc[run["best"], "test_robust"].iloc[0]
    return 100 * float(best - run["test_robust"].iloc[-1])


def spearman(one: "pd.Series[float]", other: "pd.Series[float]") -> float:
    """Return Spearman's correlation; NaN for fewer than three, or constant values."""
    if len(one) < 3 or one.nunique() < 2 or other.nunique() < 2:
        return float("nan")
    from scipy.stats import spearmanr  # takes as long as pandas

    return float(spearmanr(one, other).statistic)


def generalisation_gap(run: pd.DataFrame) -> float:
    """Return training minus test robust accuracy at the end, in points."""
    return 100 * float(run["train_robust"].iloc[-1] - run["test_robust"].iloc[-1])


def has_drops(logs: pd.DataFrame) -> bool:
    """Return whether the rate of all runs falls in drops, as far as it is known."""
    if "schedule" not in logs:
        return True
    return bool((logs["schedule"].isna() | (logs["schedule"] == "drops")).all())
