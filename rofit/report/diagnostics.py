"""What every diagnostic measured of a run, with its definition of the registry."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from rofit.report.metrics import layers, metric_charts, reliability
from rofit.report.svg import Chart

_CORE = ("accuracy", "loss", "learning_rate")  # shown as learning curves


@dataclass(frozen=True)
class MetricReport:
    """One metric: its unit and meaning, its charts, and its values by layer if any."""

    name: str
    unit: str
    about: str
    charts: list[Chart]
    heads: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class DiagnosticReport:
    """One diagnostic: what it is, in its own words, and its metrics.

    Attributes:
        about: the first line of its docstring.
        definition: the rest of it.
    """

    name: str
    about: str
    definition: str
    cost: str
    charts: list[Chart]
    metrics: list[MetricReport]


def diagnostic_reports(
    logs: pd.DataFrame, drops: Sequence[float]
) -> list[DiagnosticReport]:
    """Return the diagnostics that have rows in a run's logs, in the registry's order.

    Metrics that none of them has, of a watched loop say, come last and together.
    """
    from rofit.diagnostics import DIAGNOSTICS

    rows = {str(k): v for k, v in logs.groupby("metric", observed=True)}
    reports = []
    for name, kind in DIAGNOSTICS.items():
        metrics = [
            _metric(metric, column.unit, column.description, rows.pop(metric), drops)
            for metric, column in kind.columns.items()
            if metric in rows
        ]
        about, _, definition = (
            (inspect.getdoc(kind) or "").replace("``", "").partition("\n")
        )
        extra = [reliability(logs)] if name == "calibration" and metrics else []
        if metrics:
            reports.append(
                DiagnosticReport(
                    name,
                    about,
                    definition.strip(),
                    kind.cost,
                    [one for one in extra if one],
                    metrics,
                )
            )
    other = [
        _metric(metric, "", "not one of rofit's own", rows[metric], drops)
        for metric in sorted(rows.keys() - set(_CORE))
    ]
    if other:
        about = "Metrics that no diagnostic of rofit declares"
        reports.append(DiagnosticReport("others", about, "", "", [], other))
    return reports


def _metric(
    name: str, unit: str, about: str, rows: pd.DataFrame, drops: Sequence[float]
) -> MetricReport:
    binned = "bin" in rows and rows["bin"].notna().any()
    charts = [] if binned else metric_charts(rows, name, unit, drops)
    return MetricReport(name, unit, about, charts, *layers(rows))
