"""Robust overfitting in numbers, from a table of logs. No torch."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import pandas as pd

from rofit.errors import UserError, unknown
from rofit.measures.selection import best_epoch, selection_split
from rofit.settings.spec import RunSpec

_BEST_LAST_GAP = (
    "selected_on best_epoch best last gap oracle_epoch oracle_best oracle_gap epochs"
).split()
_COMPARE = ("selected_on runs logged best best_std last last_std gap gap_std").split()


def curve(
    logs: pd.DataFrame, *, split: str, metric: str = "accuracy", robust: bool = True
) -> pd.DataFrame:
    """Return one metric by epoch (rows) and run (columns).

    Args:
        logs: from load_logs; evaluations of checkpoints are left out.
        split: ``train``, ``val`` or ``test``.
        metric: ``accuracy``, ``loss`` or a diagnostic's.
        robust: under the attack rather than on clean inputs; rows of a diagnostic,
            which have no attack, are taken either way.

    Raises:
        UserError: a run has two values for one epoch, under two attacks or for two
            portions, say.
    """
    rows = logs[(logs["split"] == split) & (logs["metric"] == metric)]
    if "measured" in rows:
        rows = rows[rows["measured"] != "evaluation"]
    attacks = rows["attack"]
    rows = rows[attacks.isna() | ((attacks != "none") == robust)]
    twice = rows[rows.duplicated(["run_id", "epoch"], keep=False)]
    if len(twice):
        counts = twice.groupby(["run_id", "epoch"], observed=True).nunique(dropna=False)
        differing = ", ".join(
            c for c in counts.drop(columns="value") if counts[c].max() > 1
        )
        raise UserError(
            f"{split} has several values of {metric} for one epoch (they differ in "
            f"{differing or 'nothing else'}); choose among the rows of the logs first"
        )
    return rows.pivot(index="epoch", columns="run_id", values="value")


def best_last_gap(logs: pd.DataFrame, *, split: str = "test") -> pd.DataFrame:
    """Return best, last and gap = best - last of the test robust accuracy, a row a run.

    ``best`` is the test accuracy at the epoch whose robust accuracy on the selection
    split is highest (the first of equals); the selection split is ``val``, and ``test``
    only for runs without validation images. ``oracle_*`` is chosen on the test images
    themselves, as most publications do: it is too high by construction.

    An epoch with an accuracy or loss (of validation or test images) that is NaN or
    infinite had no predictions to count: it is named in a warning and never chosen, and
    as the last epoch it leaves ``last`` and the gaps NaN.

    Args:
        logs: from load_logs.
        split: of what images the accuracies are: ``val`` for logs of others that have
            none of test images; a run without any has no row.

    Returns:
        Index run_id; columns selected_on, best_epoch, best, last, gap, oracle_epoch,
        oracle_best, oracle_gap, epochs (in the log). Accuracies are fractions; best is
        NaN, of epoch 0, where there is no epoch to choose.
    """
    broken = _broken_epochs(logs)
    test = curve(logs, split=split)
    val = curve(logs, split="val")
    rows = []
    for run_id in test:
        bad = broken.get(run_id, [])
        epochs = max([*test[run_id].dropna().index, *bad])
        tested = test[run_id].dropna().drop(bad, errors="ignore")
        curves = {"test": tested} | (
            {"val": val[run_id].dropna()} if run_id in val else {}
        )
        selected_on = selection_split(curves)
        selecting = curves[selected_on]
        selecting = selecting[selecting.index.isin(tested.index)]
        best, oracle = best_epoch(selecting.items()), best_epoch(tested.items())
        last = tested.get(epochs, math.nan)
        rows.append(
            {
                "run_id": run_id,
                "selected_on": selected_on,
                "best_epoch": best,
                "best": tested.get(best, math.nan),
                "last": last,
                "gap": tested.get(best, math.nan) - last,
                "oracle_epoch": oracle,
                "oracle_best": tested.get(oracle, math.nan),
                "oracle_gap": tested.get(oracle, math.nan) - last,
                "epochs": int(epochs),
            }
        )
    return pd.DataFrame(rows, columns=["run_id", *_BEST_LAST_GAP]).set_index("run_id")


def compare(logs: pd.DataFrame, by: str | Sequence[str] = "method") -> pd.DataFrame:
    """Return best, last and gap of `best_last_gap`, a row a setting: over its seeds.

    Args:
        logs: from load_logs.
        by: field or fields of the spec, named as in *logs*, that tell settings apart.

    Returns:
        Index *by*; columns selected_on, runs (how many), logged (epochs in the shortest
        log), then best, last and gap, each the mean over runs with the standard
        deviation (n - 1; NaN for one run) beside it as ``<name>_std``. Fractions; NaN
        where a run has none.

    Raises:
        UserError: *by* is no field, or runs of one row differ in more than the seed.
    """
    names = [by] if isinstance(by, str) else list(by)
    for name in names:
        if name not in _spec_columns(logs):
            raise unknown("field of the runs", name, _spec_columns(logs))
    specs = logs.drop_duplicates("run_id").set_index("run_id")
    chosen = best_last_gap(logs).rename(columns={"epochs": "logged"})
    runs = chosen.join(specs[_spec_columns(logs)].astype(object))
    rows = []
    for key, group in runs.groupby(names, dropna=False):
        row = dict(zip(names, key, strict=True))
        _check_alike(group, row)
        row["selected_on"] = ", ".join(sorted(set(group["selected_on"])))
        row |= {"runs": len(group), "logged": group["logged"].min()}
        for name in ("best", "last", "gap"):
            values = group[name]
            mean, std = values.mean(skipna=False), values.std(skipna=False)
            row |= {name: mean, f"{name}_std": std}
        rows.append(row)
    return pd.DataFrame(rows, columns=[*names, *_COMPARE]).set_index(names)


def _broken_epochs(logs: pd.DataFrame) -> dict[str, list[int]]:
    """Return the epochs whose held-out accuracies or losses are no numbers, by run.

    Warns of each run that has some.
    """
    held_out = logs["split"].isin(["val", "test"])
    rows = logs[held_out & logs["metric"].isin(["accuracy", "loss"])]
    if "measured" in rows:
        rows = rows[rows["measured"] != "evaluation"]
    rows = rows[~np.isfinite(rows["value"].astype(float))]
    broken = {}
    for run_id, epochs in rows.groupby("run_id", observed=True)["epoch"]:
        broken[run_id] = sorted(set(epochs.astype(int)))
        warnings.warn(
            f"run {run_id}: accuracy or loss is not finite after epoch "
            f"{', '.join(map(str, broken[run_id]))}; none of them is best or counts",
            stacklevel=3,
        )
    return broken


def _spec_columns(logs: pd.DataFrame) -> list[str]:
    spec_fields = {field.name for field in fields(RunSpec)}
    names = map(str, logs)
    return [c for c in names if c in spec_fields or c.startswith("method_params.")]


def _check_alike(group: pd.DataFrame, row: dict[str, object]) -> None:
    columns = [c for c in _spec_columns(group) if c != "seed"]
    if differ := [c for c in columns if group[c].nunique(dropna=False) > 1]:
        setting = ", ".join(f"{name} {value}" for name, value in row.items())
        raise UserError(
            f"runs of {setting} differ in {', '.join(differ)}: name it in by, or "
            "filter the logs first"
        )
