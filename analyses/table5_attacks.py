"""Accuracy under attacks of every kind, of the best and the last checkpoint.

Planned by us; the captions of the paper's tables are not known. FGSM, PGD, C&W's
margin, Square and a transfer (black boxes), AutoAttack; the runs are Figure 12's.
Every attack is tried on all test images; what is wrong without any counts as wrong. A
transfer comes from adversarial training's network of the same seed, for that method
from the next seed's. Which epoch is best, the split in ``selected_on`` says; what the
test images themselves would have chosen stands beside it, under the attack of every
epoch's evaluation, the only one that was made at every epoch. All thresholds are ours.
"""

from functools import partial

import pandas as pd

from rofit.claims import Claim, at_least
from rofit.epochs import FULL_EPOCHS
from rofit.metrics import best_last_gap
from rofit.recipes import RECIPES
from rofit.spec import RunSpec

PAPER = "Table 5"
STATUS = "planned by rofit"
DIAGNOSTICS = ()
METHODS = ("pgd_at", "sgls", "sglr")
EVALUATIONS = (
    "clean",
    "fgsm",
    "pgd20",
    "pgd100",
    "cw100",
    "autoattack",
    "square5000",
    "transfer",
)
COLUMNS = {
    "method": "training method",
    "seed": "of the run",
    "checkpoint": "best, last, or best on test",
    "selected_on": "split that chose the checkpoint; empty for last",
    "epoch": "of the checkpoint",
    "epochs": "of the run",
    "attack": "none = clean; each_epoch: that of every epoch's evaluation",
    "accuracy": "of test images, fraction",
    "n": "test images",
}
# Weaker first: an attack should leave no more than the one before it.
_ORDER = (
    ("fgsm", "pgd20"),
    ("pgd20", "pgd100"),
    ("pgd100", "cw100"),
    ("cw100", "autoattack"),
    ("square5000", "autoattack"),
    ("transfer", "pgd20"),
)


def runs() -> list[RunSpec]:
    """Return three of the runs of Figure 2."""
    return [RECIPES["sgls"].apply(RunSpec(method=method)) for method in METHODS]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run, checkpoint and attack."""
    chosen = best_last_gap(logs)
    about = logs.drop_duplicates("run_id").set_index("run_id")
    evaluated = logs["measured"] == "evaluation"
    found = logs[evaluated & (logs["metric"] == "accuracy")]
    here = (found["attack_epsilon"] - found["epsilon"]).abs() < 1e-9
    found = found[here | (found["attack"] == "none")].rename(
        columns={"value": "accuracy"}
    )
    found["selected_on"] = found["run_id"].map(chosen["selected_on"])
    found.loc[found["checkpoint"] == "last", "selected_on"] = ""
    found = found.astype({"attack": str})
    tested = logs[(logs["split"] == "test") & (logs["measured"] == "epoch_end")]
    n = tested.groupby("run_id", observed=True)["n"].first()
    rows = []
    for run_id, each in chosen.iterrows():
        told = {
            "best": (each["selected_on"], each["best_epoch"], each["best"]),
            "last": ("", each["epochs"], each["last"]),
            "best on test": ("test", each["oracle_epoch"], each["oracle_best"]),
        }
        for checkpoint, (split, epoch, accuracy) in told.items():
            rows.append(
                {
                    "run_id": run_id,
                    "checkpoint": checkpoint,
                    "selected_on": split,
                    "epoch": epoch,
                    "attack": "each_epoch",
                    "accuracy": accuracy,
                    "n": n[run_id],
                }
            )
    each_epoch = pd.DataFrame(rows)
    for name in ("method", "seed", "epochs"):
        each_epoch[name] = each_epoch["run_id"].map(about[name].astype(object))
    whole = pd.concat([found.astype({"method": object}), each_epoch])
    whole = whole.reindex(columns=list(COLUMNS))
    return whole.sort_values(["method", "seed", "checkpoint"]).reset_index(drop=True)


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return the order that attacks should have in every network, and one effect."""
    order = partial(at_least, 0, full_size=True, source="ours", unit="points")
    found = [
        order(
            _smallest(table, weak, strong),
            sentence=f"{strong} leaves no more than {weak}, in the network where it "
            "does so least",
        )
        for weak, strong in _ORDER
    ]
    at_paper = bool((table["scale"] == "paper").all())
    full = at_paper and int(table["epochs"].max()) == FULL_EPOCHS
    plain = _falls(table, "pgd_at")
    for method in METHODS[1:]:
        theirs = _falls(table, method)
        found.append(
            at_least(
                4,
                [plain[seed] - theirs[seed] for seed in plain if seed in theirs],
                sentence=f"{method}: AutoAttack accuracy falls by less than pgd_at's "
                "from best to last",
                unit="points",
                source="ours",
                full_size=full,
            )
        )
    return found


def _wide(table: pd.DataFrame) -> pd.DataFrame:
    """Return accuracies in points: a row a network, a column an attack."""
    rows = table[table["checkpoint"].isin(["best", "last"])]
    keys = ["method", "seed", "checkpoint"]
    return 100 * rows.pivot_table(index=keys, columns="attack", values="accuracy")


def _smallest(table: pd.DataFrame, weak: str, strong: str) -> list[float]:
    """Return the smallest difference over a seed's networks, a value a seed."""
    wide = _wide(table).reindex(columns=[weak, strong])
    return list((wide[weak] - wide[strong]).groupby(level="seed").min())


def _falls(table: pd.DataFrame, method: str) -> dict[int, float]:
    """Return AutoAttack accuracy of best minus last, by seed."""
    wide = _wide(table[table["method"] == method])
    if "autoattack" not in wide:
        return {}
    by = wide["autoattack"].unstack("checkpoint").reindex(columns=["best", "last"])
    fall = by["best"] - by["last"]
    return {int(index[1]): float(value) for index, value in fall.items()}
