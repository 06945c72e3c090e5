"""One run: its curves, diagnostics, evaluations, settings, and how it is made again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from rofit.errors import UserError
from rofit.report.curves import PER_CENT, Outcome, accuracies, outcome, points
from rofit.report.diagnostics import DiagnosticReport, diagnostic_reports
from rofit.report.evaluations import (
    EvaluationReport,
    check_rows,
    evaluation_reports,
)
from rofit.report.looks import colour, method_name
from rofit.report.metrics import learning_curves
from rofit.report.origin import Origin, command, nearest, setting_text
from rofit.report.svg import Chart, Mark
from rofit.report.worst import WorstImages, worst_images
from rofit.settings.spec import RunSpec, epoch_at
from rofit.store.rows import load_logs
from rofit.store.runs import RunFolder, read_events
from rofit.store.source import Source


class Setting(NamedTuple):
    """One field: its value here, and as recipe and scale have it."""

    name: str
    value: str
    usual: str
    about: str


@dataclass(frozen=True)
class RunReport:
    """What the page of a run shows.

    Attributes:
        about: first line of its method's docstring, empty if it is not here.
        differs: fields and parameters that are otherwise than recipe and scale say.
        settings: all fields.
        command: makes the run again; empty where *no_command* says why not.
    """

    run_id: str
    label: str
    colour: str
    about: str
    state: str
    spec: RunSpec
    source: Source | None
    origin: Origin
    outcome: Outcome
    clean: float
    seconds: float
    curves: list[Chart]
    diagnostics: list[DiagnosticReport]
    evaluations: list[EvaluationReport]
    checks: list[dict[str, Any]]
    worst: list[WorstImages]
    events: list[dict[str, str]]
    environment: list[tuple[str, str]]
    differs: list[Setting]
    settings: list[Setting]
    command: str
    no_command: str

    @property
    def unknown(self) -> tuple[str, ...]:
        """Fields that a source does not say; none of a run of rofit's own."""
        return self.source.unknown if self.source else ()


def run_report(folder: RunFolder, data: Path) -> RunReport:
    """Return the report of a run.

    Args:
        folder: of the run.
        data: folder of the data sets, for the images of its evaluations.

    Raises:
        UserError: the run cannot be read.
    """
    spec, source = folder.spec, folder.source
    logs = load_logs(folder.path.parent, [folder.path.name], evaluations=False)
    drops = _drops(spec, source)
    measured = accuracies(logs) if len(logs) else logs
    summary = outcome(measured) if len(logs) else Outcome()
    clean = points(measured, split="test", robust=False) if len(logs) else []
    worst = worst_images(folder, data)
    names = next((w.classes for w in worst if w.classes), ())
    made_by, no_command = _command(folder, spec, source)
    origin = nearest(spec)
    return RunReport(
        run_id=folder.path.name,
        label=method_name(spec, label=True),
        colour=colour(method_name(spec)),
        about=_about(spec),
        state=folder.state,
        spec=spec,
        source=source,
        origin=origin,
        outcome=summary,
        clean=PER_CENT * clean[-1][1] if clean else float("nan"),
        seconds=sum(_seconds(folder)),
        curves=learning_curves(logs, _marks(summary), drops) if len(logs) else [],
        diagnostics=diagnostic_reports(logs, drops) if len(logs) else [],
        evaluations=evaluation_reports(folder, names),
        checks=check_rows(folder),
        worst=worst,
        events=[_event(event) for event in read_events(folder.path)],
        environment=list(_flat(folder.read_json("env.json") or {})),
        differs=_differs(spec, source, origin),
        settings=_settings(spec, source, origin),
        command=made_by,
        no_command=no_command,
    )


def _marks(summary: Outcome) -> list[Mark]:
    best = Mark(summary.best_epoch, summary.best, f"best {summary.best:.1f}")
    last = Mark(summary.last_epoch, summary.last, f"last {summary.last:.1f}")
    return [last] if summary.best_epoch == summary.last_epoch else [best, last]


def _drops(spec: RunSpec, source: Source | None) -> list[float]:
    """Return the epochs after which the learning rate falls, as far as it is known."""
    unknown = source.unknown if source else ()
    if spec.schedule != "drops" or {"schedule", "drops", "epochs"} & set(unknown):
        return []
    return [epoch_at(drop, spec.epochs) + 0.5 for drop in spec.drops]


def _about(spec: RunSpec) -> str:
    from rofit.methods import METHODS

    module = METHODS.get(spec.method)
    return (module.__doc__ or "").strip().partition("\n")[0] if module else ""


def _command(
    folder: RunFolder, spec: RunSpec, source: Source | None
) -> tuple[str, str]:
    """Return the command that makes the run again, or why there is none."""
    from rofit.diagnostics import DIAGNOSTICS
    from rofit.methods.resolve import resolve

    if source:
        return "", f"rofit did not train this run: it is from {source.title}."
    try:
        short = resolve(spec)
    except UserError as error:  # of a method's file that is not here
        return "", f"There is no command: {error}."
    watched = folder.watched()
    return command(short, watched, set(DIAGNOSTICS)), ""


def _differs(spec: RunSpec, source: Source | None, origin: Origin) -> list[Setting]:
    named = [
        Setting(name, setting_text(v, name), "", "") for name, v in spec.method_params
    ]
    return [s for s in _settings(spec, source, origin) if s.value != s.usual] + named


def _settings(spec: RunSpec, source: Source | None, origin: Origin) -> list[Setting]:
    unknown = source.unknown if source else ()
    values = spec.as_dict()
    return [
        Setting(
            field.name,
            "not known"
            if field.name in unknown
            else setting_text(values[field.name], field.name),
            setting_text(origin.base[field.name], field.name),
            field.metadata["about"],
        )
        for field in fields(RunSpec)
        if field.metadata
    ]


def _seconds(folder: RunFolder) -> Iterator[float]:
    for event in read_events(folder.path):
        seconds = event.get("seconds")
        if isinstance(seconds, int | float):
            yield float(seconds)


def _event(event: dict[str, Any]) -> dict[str, str]:
    """Return an event's kind, time and the rest in words, environments apart."""
    details = {
        k: v for k, v in event.items() if k not in ("event", "at", "environment")
    }
    words = [f"{name} {_plain(value)}" for name, value in details.items()]
    return {
        "event": str(event["event"]),
        "at": str(event.get("at", "")).replace("T", " ").rstrip("Z"),
        "details": "; ".join(words),
    }


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {_plain(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return value if isinstance(value, str) else json.dumps(value)


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", _plain(value)
