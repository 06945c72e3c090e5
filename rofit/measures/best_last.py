"""Best and last of runs under attack: a row a run, checkpoint and attack. No torch.

Which tables begin from: how accurate a method is at its best and at the end, and how
far it falls between them.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import pandas as pd

from rofit.measures.claims import Claim, at_least
from rofit.measures.epochs import is_full_size
from rofit.measures.metrics import best_last_gap
from rofit.measures.reported import published

COLUMNS = {
    "method": "training method, with the parts taken from others",
    "seed": "of the run",
    "checkpoint": "best, last, or best on test",
    "selected_on": "split that chose the checkpoint; empty for last",
    "epoch": "of the checkpoint",
    "epochs": "of the run",
    "attack": "none = clean; each_epoch: that of every epoch's evaluation",
    "accuracy": "of test images, fraction",
    "n": "test images",
    "published": "what others report for the method at full size, with source and kind",
}
# From the strongest on: what a table's claims are about is the first that was made.
STRONGEST = ("autoattack", "cw100", "pgd20", "each_epoch")
EACH_EPOCH = "each_epoch"
# What tables are evaluated by, and what a scale has no time for: AutoAttack would take
# hours for the networks of a table.
EVALUATIONS = ("clean", "pgd20", "cw100", "autoattack")
LEFT_OUT = {
    "smoke": ("cw100", "autoattack"),
    "demo": ("autoattack",),
    "cpu": ("autoattack",),
}


def by_checkpoint(logs: pd.DataFrame, *fields: str) -> pd.DataFrame:
    """Return a row a run, checkpoint and attack: *fields* of the spec, then COLUMNS.

    Runs stand in the order of the logs.

    Evaluations at the run's own radius; beside them best, last and best on test under
    the attack of every epoch's evaluation, the only one made at every epoch. An attack
    that some run was not put through at both checkpoints is left out.
    """
    chosen = best_last_gap(logs)
    about = logs.drop_duplicates("run_id").set_index("run_id")
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
                    "attack": EACH_EPOCH,
                    "accuracy": accuracy,
                    "n": n[run_id],
                }
            )
    parts = [_evaluated(logs, chosen, n), pd.DataFrame(rows)]
    # pandas before 3 warns of the dtypes of empty ones
    whole = pd.concat([part for part in parts if len(part)])
    whole["method"] = whole["run_id"].map(_names(about))
    for name in (*fields, "seed", "epochs"):
        whole[name] = whole["run_id"].map(about[name].astype(object))
    fields_of = [
        whole["run_id"].map(about[name].astype(object))
        for name in ("dataset", "norm", "model")
    ]
    whole["published"] = [
        published(*each) for each in zip(whole["method"], *fields_of, strict=True)
    ]
    order = {run_id: place for place, run_id in enumerate(about.index)}
    whole["order"] = whole["run_id"].map(order)
    whole = whole.sort_values(["order", "checkpoint"], kind="stable")
    return whole.reindex(columns=[*fields, *COLUMNS]).reset_index(drop=True)


def strongest(table: pd.DataFrame) -> str:
    """Return the strongest attack that every run of the table was put through."""
    there = set(table["attack"])
    return next(name for name in STRONGEST if name in there)


def by_seed(
    table: pd.DataFrame, method: str, attack: str, checkpoint: str
) -> "pd.Series[float]":
    """Return accuracies in points by seed, of one method, attack and checkpoint."""
    told = {"method": method, "attack": attack, "checkpoint": checkpoint}
    rows = table
    for name, value in told.items():
        rows = rows[rows[name] == value]
    return 100 * rows.set_index("seed")["accuracy"]


def falls(table: pd.DataFrame, method: str, attack: str) -> "pd.Series[float]":
    """Return how far accuracy falls from best to last, in points, by seed."""
    best, last = (by_seed(table, method, attack, c) for c in ("best", "last"))
    return best - last


def shared(one: "pd.Series[float]", other: "pd.Series[float]") -> list[float]:
    """Return the differences of the seeds that both have."""
    return list((one - other).dropna())


def in_points(table: pd.DataFrame) -> Callable[..., Claim]:
    """Return `at_least` for a published table's claims: ours, in points, its size."""
    return partial(
        at_least, full_size=is_full_size(table), source="ours", unit="points"
    )


def ends_above(table: pd.DataFrame, field: str, methods: Sequence[str]) -> list[Claim]:
    """Return whether methods end above adversarial training, for each value of *field*.

    Last accuracy under the strongest attack; only the sign is claimed.
    """
    attack, points = strongest(table), in_points(table)
    found = []
    for value, rows in table.groupby(field):
        plain = by_seed(rows, "pgd_at", attack, "last")
        for method in methods:
            theirs = by_seed(rows, method, attack, "last")
            found.append(
                points(
                    0,
                    shared(theirs, plain),
                    sentence=f"{value}: last {attack} accuracy of {method} minus "
                    "pgd_at's",
                )
            )
    return found


def _evaluated(
    logs: pd.DataFrame, chosen: pd.DataFrame, n: "pd.Series[float]"
) -> pd.DataFrame:
    """Return the evaluations that all runs have: own ball, all images, final weights.

    Of several that differ in their draws only, the first.
    """
    columns = ["run_id", "checkpoint", "selected_on", "epoch", "attack", "accuracy"]
    found = logs[(logs["measured"] == "evaluation") & (logs["metric"] == "accuracy")]
    if found.empty:
        return pd.DataFrame(columns=[*columns, "n"])
    radius = (found["attack_epsilon"] - found["epsilon"]).abs() < 1e-9
    same = found["attack_norm"].astype(str) == found["norm"].astype(str)
    found = found[(radius & same) | (found["attack"] == "none")]
    run = found["run_id"].astype(object)
    epoch = run.map(chosen["epochs"]).where(
        found["checkpoint"] == "last", run.map(chosen["best_epoch"])
    )
    found = found[(found["epoch"] == epoch) & (found["n"] == run.map(n))]
    found = found.rename(columns={"value": "accuracy"}).astype({"attack": str})
    found = found[found["checkpoint"].isin(["best", "last"])]
    found = found.drop_duplicates(["run_id", "checkpoint", "attack"])
    whole = _made_of_all(found, len(chosen))
    found = found[found["attack"].isin(whole)]
    selected = found["run_id"].astype(object).map(chosen["selected_on"])
    found["selected_on"] = selected.where(found["checkpoint"] == "best", "")
    return found[[*columns, "n"]].astype({"run_id": object, "checkpoint": object})


def _made_of_all(found: pd.DataFrame, runs: int) -> Iterable[str]:
    each = found.drop_duplicates(["run_id", "checkpoint", "attack"])
    counts = each.groupby("attack").size()
    return list(counts.index[counts == 2 * runs])


def _names(about: pd.DataFrame) -> "pd.Series[str]":
    """Return the method of each run with the parts it takes: ``trades+sglr``."""

    def name(run: "pd.Series[object]") -> str:
        labels, weights = run.get("labels_from"), run.get("weights_from")
        parts: Sequence[object] = [run["method"], labels, *(weights or ())]
        return "+".join(str(part) for part in parts if part)

    return about.apply(name, axis=1)
