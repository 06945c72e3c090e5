"""Best and last of runs under attack: a row a run, checkpoint and attack. No torch.

What tables are made from: how accurate a method is at its best and at the end, and how
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
# Strongest first: a table's claims use the first that all its runs have.
STRONGEST = ("autoattack", "cw100", "pgd20", "each_epoch")
EACH_EPOCH = "each_epoch"
# The evaluations of tables, and those that a scale has no time for: AutoAttack would
# take hours for the networks of a table.
EVALUATIONS = ("clean", "pgd20", "cw100", "autoattack")
LEFT_OUT = {
    "smoke": ("cw100", "autoattack"),
    "demo": ("autoattack",),
    "cpu": ("autoattack",),
    "hour": ("autoattack",),
}


def by_checkpoint(logs: pd.DataFrame, *fields: str) -> pd.DataFrame:
    """Return a row a run, checkpoint and attack: *fields* of the spec, then COLUMNS.

    Runs stand in the order of the logs.

    Evaluations at the run's own radius; beside them best, last and best on test under
    the attack of every epoch's evaluation, the only one made at every epoch. An attack
    that some run lacks at either checkpoint is left out.
    """
    chosen = best_last_gap(logs)
    specs = logs.drop_duplicates("run_id").set_index("run_id")
    tested = logs[(logs["split"] == "test") & (logs["measured"] == "epoch_end")]
    n = tested.groupby("run_id", observed=True)["n"].first()
    rows = []
    for run_id, outcome in chosen.iterrows():
        checkpoints = {
            "best": (outcome["selected_on"], outcome["best_epoch"], outcome["best"]),
            "last": ("", outcome["epochs"], outcome["last"]),
            "best on test": ("test", outcome["oracle_epoch"], outcome["oracle_best"]),
        }
        for checkpoint, (split, epoch, accuracy) in checkpoints.items():
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
    tables = [_evaluated(logs, chosen, n), pd.DataFrame(rows)]
    # pandas before 3 warns of the dtypes of empty ones
    combined = pd.concat([table for table in tables if len(table)])
    combined["method"] = combined["run_id"].map(_method_names(specs))
    for name in (*fields, "seed", "epochs"):
        combined[name] = combined["run_id"].map(specs[name].astype(object))
    spec_columns = [
        combined["run_id"].map(specs[name].astype(object))
        for name in ("dataset", "norm", "model")
    ]
    combined["published"] = [
        published(*map(str, setting))  # of a log that does not say it: nothing
        for setting in zip(combined["method"], *spec_columns, strict=True)
    ]
    order = {run_id: position for position, run_id in enumerate(specs.index)}
    combined["order"] = combined["run_id"].map(order)
    combined = combined.sort_values(["order", "checkpoint"], kind="stable")
    return combined.reindex(columns=[*fields, *COLUMNS]).reset_index(drop=True)


def strongest(table: pd.DataFrame) -> str:
    """Return the strongest attack that the table has."""
    attacks = set(table["attack"])
    return next(name for name in STRONGEST if name in attacks)


def by_seed(
    table: pd.DataFrame, method: str, attack: str, checkpoint: str
) -> "pd.Series[float]":
    """Return accuracies in points by seed, of one method, attack and checkpoint."""
    conditions = {"method": method, "attack": attack, "checkpoint": checkpoint}
    rows = table
    for name, value in conditions.items():
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
    results = []
    for value, rows in table.groupby(field):
        baseline = by_seed(rows, "pgd_at", attack, "last")
        for method in methods:
            accuracies = by_seed(rows, method, attack, "last")
            results.append(
                points(
                    0,
                    shared(accuracies, baseline),
                    sentence=f"{value}: last {attack} accuracy of {method} minus "
                    "pgd_at's",
                )
            )
    return results


def _evaluated(
    logs: pd.DataFrame, chosen: pd.DataFrame, n: "pd.Series[float]"
) -> pd.DataFrame:
    """Return the evaluations that all runs have: own ball, all images, final weights.

    Of several that differ in their draws only, the first.
    """
    columns = ["run_id", "checkpoint", "selected_on", "epoch", "attack", "accuracy"]
    rows = logs[(logs["measured"] == "evaluation") & (logs["metric"] == "accuracy")]
    if rows.empty:
        return pd.DataFrame(columns=[*columns, "n"])
    same_radius = (rows["attack_epsilon"] - rows["epsilon"]).abs() < 1e-9
    same_norm = rows["attack_norm"].astype(str) == rows["norm"].astype(str)
    rows = rows[(same_radius & same_norm) | (rows["attack"] == "none")]
    run = rows["run_id"].astype(object)
    epoch = run.map(chosen["epochs"]).where(
        rows["checkpoint"] == "last", run.map(chosen["best_epoch"])
    )
    rows = rows[(rows["epoch"] == epoch) & (rows["n"] == run.map(n))]
    rows = rows.rename(columns={"value": "accuracy"}).astype({"attack": str})
    rows = rows[rows["checkpoint"].isin(["best", "last"])]
    rows = rows.drop_duplicates(["run_id", "checkpoint", "attack"])
    complete = _complete_attacks(rows, len(chosen))
    rows = rows[rows["attack"].isin(complete)]
    selected = rows["run_id"].astype(object).map(chosen["selected_on"])
    rows["selected_on"] = selected.where(rows["checkpoint"] == "best", "")
    return rows[[*columns, "n"]].astype({"run_id": object, "checkpoint": object})


def _complete_attacks(rows: pd.DataFrame, runs: int) -> Iterable[str]:
    distinct = rows.drop_duplicates(["run_id", "checkpoint", "attack"])
    counts = distinct.groupby("attack").size()
    return list(counts.index[counts == 2 * runs])


def _method_names(specs: pd.DataFrame) -> "pd.Series[str]":
    """Return each run's method with those it takes rules from: ``trades+sglr``."""

    def composed_name(run: "pd.Series[object]") -> str:
        labels, weights = run.get("labels_from"), run.get("weights_from")
        methods: Sequence[object] = [run["method"], labels, *(weights or ())]
        return "+".join(str(method) for method in methods if method)

    return specs.apply(composed_name, axis=1)
