"""What became of the settings of a sweep: a row each, and the best by validation."""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pandas as pd

from rofit.measures.claims import mean_interval
from rofit.measures.metrics import best_last_gap, curve
from rofit.store.rows import load_logs

MEASURES = {
    "val": "validation accuracy at the best epoch, which it chose",
    "best": "test accuracy at that epoch",
    "last": "test accuracy at the end",
    "gap": "best minus last",
}
# Fields that change what accuracy means: across them no setting is better.
_MEASURED_BY = frozenset(
    "dataset val_size test_size data_seed norm epsilon eval_steps".split()
)


def table(
    store: Path, settings: Sequence[Sequence[str]], fields: Sequence[str]
) -> pd.DataFrame:
    """Return a row a setting: how accurate its runs are under the evaluation's attack.

    Args:
        store: folder of the runs.
        settings: ids of the runs of each, one a seed, in the same order of seeds.
        fields: what is swept, fields of a run or parameters of methods.

    Returns:
        Columns *fields*, n (runs), the MEASURES in per cent (gap in points), each a
        mean over seeds with ``_std`` (n - 1), ``_low`` and ``_high`` (Student's t
        interval at 95 %, NaN for fewer than 3 runs) beside it, chosen (the setting of
        the highest mean of val, the first of equals; none where a swept field changes
        what accuracy means), and minus_chosen with its interval: the difference of
        best, paired by seed, to the chosen setting.
    """
    values, accuracies = [], []
    for run_ids in settings:
        logs = load_logs(store, run_ids, evaluations=False)
        runs = logs.drop_duplicates("run_id").set_index("run_id")
        values.append({f: _value(runs.loc[run_ids[0]], f) for f in fields})
        accuracies.append(_accuracies(logs, run_ids))
    chosen = None if _MEASURED_BY & set(fields) else _chosen(accuracies)
    rows = []
    for number, (value, by_seed) in enumerate(zip(values, accuracies, strict=True)):
        row: dict[str, Any] = value | {"n": len(by_seed["val"])}
        for name in MEASURES:
            row |= _summary(name, by_seed[name])
        row["chosen"] = number == chosen
        row |= _difference(by_seed, None if chosen is None else accuracies[chosen])
        rows.append(row)
    return pd.DataFrame(rows)


def _value(run: "pd.Series[Any]", field: str) -> Any:
    """Return what a run has for a field, a tuple as text; None if nothing."""
    value = run[field] if field in run else run.get(f"method_params.{field}")
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return "none" if value == "" else value


def _accuracies(logs: pd.DataFrame, run_ids: Sequence[str]) -> dict[str, list[float]]:
    """Return the MEASURES of runs, in per cent, in the order of the ids."""
    test, val = best_last_gap(logs), curve(logs, split="val")
    by_measure: dict[str, list[float]] = {
        name: [100 * float(test.loc[run_id, name]) for run_id in run_ids]
        for name in ("best", "last", "gap")
    }
    by_measure["val"] = [
        100 * float(val[run_id].get(test.loc[run_id, "best_epoch"], math.nan))
        for run_id in run_ids
    ]
    return by_measure


def _chosen(accuracies: Sequence[dict[str, list[float]]]) -> int | None:
    """Return the setting with the highest mean of val, None if all are NaN."""
    means = [mean(by_seed["val"]) for by_seed in accuracies]
    known = [n for n, value in enumerate(means) if not math.isnan(value)]
    return max(known, key=lambda n: means[n], default=None)


def _summary(name: str, values: Sequence[float]) -> dict[str, float]:
    low, high = mean_interval(values)
    spread = stdev(values) if len(values) > 1 else math.nan
    return {
        name: mean(values),
        f"{name}_std": spread,
        f"{name}_low": low,
        f"{name}_high": high,
    }


def _difference(
    by_seed: dict[str, list[float]], chosen: dict[str, list[float]] | None
) -> dict[str, float]:
    """Return the difference of best to the chosen setting: of none to itself."""
    names = ("minus_chosen", "minus_chosen_low", "minus_chosen_high")
    if chosen is None or chosen is by_seed:
        return dict.fromkeys(names, math.nan)
    pairs = zip(by_seed["best"], chosen["best"], strict=True)
    values = [one - other for one, other in pairs]
    return dict(zip(names, (mean(values), *mean_interval(values)), strict=True))
