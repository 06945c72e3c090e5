"""The rows of a run's metrics as charts: a line a split, attack and whatever else."""

from collections.abc import Iterable, Sequence

import pandas as pd

from rofit.report.svg import Chart, Mark, Series, chart

_SPLITS = {"test": 0, "val": 1, "train": 2}
_COLOURS = 8  # CSS classes s0 ... s7
CURVES = (
    ("accuracy", True, "robust accuracy", "%", 100.0),
    ("accuracy", False, "clean accuracy", "%", 100.0),
    ("loss", True, "robust loss", "nats", 1.0),
    ("loss", False, "clean loss", "nats", 1.0),
)


def learning_curves(
    logs: pd.DataFrame, marks: Iterable[Mark], drops: Sequence[float]
) -> list[Chart]:
    """Return accuracies and losses by epoch, and the learning rate.

    Args:
        logs: of one run, without evaluations.
        marks: best and last, in per cent of test robust accuracy.
        drops: epochs before which the learning rate fell.
    """
    charts = []
    for metric, robust, title, unit, factor in CURVES:
        attacks = logs["attack"].astype(object)
        rows = logs[(logs["metric"] == metric) & attacks.notna()]
        rows = rows[(rows["attack"] != "none") == robust]
        rows = rows.assign(value=factor * rows["value"])
        named = marks if (metric, robust) == ("accuracy", True) else ()
        series = _series(rows, "epoch")
        charts.append(chart(title, unit, series, marks=named, drops=drops))
    rates = _series(logs[logs["metric"] == "learning_rate"], "epoch")
    charts.append(chart("learning rate", "", rates, drops=drops))
    return [one for one in charts if one]


def metric_charts(
    rows: pd.DataFrame, metric: str, unit: str, drops: Sequence[float]
) -> list[Chart]:
    """Return the charts of one metric's rows: by epoch, or along what it was taken at.

    Rows of a layer are summed up by those of ``all``; of two directions the second is
    shown at 0.
    """
    taken_at = [name for name in ("a", "u") if _has(rows, name)]
    if taken_at:
        name = taken_at[0]
        rows = rows[rows["v"] == 0] if name == "u" else rows
        label = {"a": "a", "u": "u in 1/255, v = 0"}[name]
        charts = [chart(metric, unit, _series(rows, name), x_label=label)]
    else:
        if _has(rows, "layer"):
            rows = rows[rows["layer"] == "all"]
        charts = [chart(metric, unit, _series(rows, "epoch"), drops=drops)]
    return [one for one in charts if one]


def reliability(logs: pd.DataFrame) -> Chart | None:
    """Return accuracy by confidence after the last epoch with bins, and a diagonal."""
    if not _has(logs, "bin"):
        return None
    bins = logs[logs["bin"].notna()]
    bins = bins[bins["epoch"] == bins["epoch"].max()]
    sides = {
        metric: bins[bins["metric"] == f"reliability_{metric}"].set_index(
            ["attack", "bin"]
        )["value"]
        for metric in ("confidence", "accuracy")
    }
    both = pd.DataFrame(sides).dropna().reset_index()
    lines = [Series("calibrated", (0.0, 1.0), (0.0, 1.0), "guide")]
    for attack, line in both.groupby("attack", observed=True):
        line = line.sort_values("confidence")
        clean = attack == "none"
        name, dashed = ("clean", " dashed") if clean else (str(attack), "")
        x, y = list(line["confidence"]), list(line["accuracy"])
        lines.append(Series(name, x, y, f"s0{dashed}"))
    title = f"reliability after epoch {bins['epoch'].max()}"
    return chart(title, "accuracy", lines, x_label="mean confidence in a bin")


def layers(rows: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of a metric by layer after its last epoch; none of none."""
    if not _has(rows, "layer"):
        return [], []
    last = rows[(rows["epoch"] == rows["epoch"].max()) & rows["layer"].notna()]
    names = _names(last, ["epoch", "layer"])
    table = last.assign(name=names).pivot_table(
        index="layer", columns="name", values="value", sort=False, observed=True
    )
    body = [
        [str(layer), *(f"{value:.4g}" for value in line)]
        for layer, line in zip(table.index, table.to_numpy(), strict=True)
    ]
    return ["layer", *map(str, table.columns)], body


def key_columns(logs: pd.DataFrame) -> list[str]:
    """Return the columns beyond the usual ones that tell numbers apart."""
    columns = list(map(str, logs.columns))
    return columns[columns.index("value") + 1 : columns.index("family_id")]


def _series(rows: pd.DataFrame, x: str) -> list[Series]:
    """Return a line a combination of split, attack and keys, over the column *x*.

    Colours tell splits and keys apart; clean inputs are dashed beside attacked ones.
    """
    if rows.empty:
        return []
    without = [x] if x == "epoch" else [x, "v"]
    named = rows.assign(
        name=_names(rows, without), group=_joined(rows, [*without, "split", "attack"])
    )
    splits = rows["split"].astype(object).nunique(dropna=False) > 1
    attacked = (rows["attack"].astype(object) != "none").any()
    styles: dict[str, int] = {}
    series = []
    for name, line in named.groupby("name", sort=False):
        line = line.drop_duplicates(x).sort_values(x)
        first = line.iloc[0]
        number = styles.setdefault(str(first["group"]), len(styles))
        if splits:
            number += _SPLITS.get(str(first["split"]), 0)
        dashed = attacked and first["attack"] == "none"
        style = f"s{number % _COLOURS}{' dashed' if dashed else ''}"
        at, values = (list(line[column].astype(float)) for column in (x, "value"))
        series.append(Series(str(name), at, values, style))
    return series


def _names(rows: pd.DataFrame, without: Sequence[str]) -> "pd.Series[str]":
    """Return what tells each row apart; where nothing does, split and attack."""
    names = _joined(rows, without)
    if names.any():
        return names
    return (_texts(rows, "split") + " " + _texts(rows, "attack")).str.strip()


def _joined(rows: pd.DataFrame, without: Sequence[str]) -> "pd.Series[str]":
    """Return the values of the keys that vary among the rows, joined; else nothing."""
    joined = pd.Series("", index=rows.index)
    for name in ("epoch", "split", "attack", *key_columns(rows)):
        if name in without or name not in rows:
            continue
        if rows[name].nunique(dropna=False) > 1:
            joined = (joined + " · " + _texts(rows, name)).str.strip(" ·")
    return joined


def _texts(rows: pd.DataFrame, name: str) -> "pd.Series[str]":
    """Return a column's values in words, keys with their name; nothing for none."""
    before = "" if name in ("split", "attack") else f"{name} "
    shown = {"none": "clean"} if name == "attack" else {}
    texts = [
        "" if pd.isna(value) else before + shown.get(value, str(value))
        for value in rows[name]
    ]
    return pd.Series(texts, index=rows.index, dtype=object)


def _has(rows: pd.DataFrame, name: str) -> bool:
    return name in rows and bool(rows[name].notna().any())
