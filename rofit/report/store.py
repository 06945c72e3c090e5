"""The runs of a store as rows: what they are, how far, best and last, a small curve."""

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from rofit.errors import UserError
from rofit.report.curves import PER_CENT, Outcome, accuracies, outcome, points
from rofit.report.looks import colour, method_name
from rofit.report.origin import nearest
from rofit.report.svg import spark
from rofit.settings.spec import RunSpec
from rofit.store.rows import load_logs
from rofit.store.runs import RunFolder, RunStore, read_events

Points = list[tuple[int, float]]


@dataclass(frozen=True)
class RunRow:
    """A run in the list. Accuracies in per cent of test images, NaN for none.

    Attributes:
        test: path of the test robust accuracy, all of a list on the same axes.
        train: of the training robust accuracy.
        begun: date and time of its first start, empty if not known.
    """

    run_id: str
    method: str
    label: str
    colour: str
    dataset: str
    scale: str
    seed: str
    state: str
    epochs: str
    outcome: Outcome
    clean: float
    test: str
    train: str
    begun: str


@dataclass(frozen=True)
class RunList:
    """The rows, and what their small curves share: from and to which accuracy."""

    rows: list[RunRow]
    low: float
    high: float


def list_runs(store: RunStore, run_ids: Iterable[str] | None = None) -> RunList:
    """Return a row a run that can be read; a warning names what cannot.

    Args:
        store: of the runs.
        run_ids: those to show, as far as they are there; all where None.
    """
    chosen = None if run_ids is None else set(run_ids)
    folders = [f for f in store.runs() if chosen is None or f.path.name in chosen]
    specs = {}
    for folder in folders:
        try:
            specs[folder] = folder.spec
        except UserError as error:
            text = f"{folder.path.name} is left out: {error}"
            warnings.warn(text, stacklevel=2)
    by_run = _accuracies_by_run(store, specs)
    courses = {name: _courses(rows) for name, rows in by_run.items()}
    shown = [
        y for test, train, _ in courses.values() for _, y in _finite([*test, *train])
    ]
    low, high = min(shown, default=0.0), max(shown, default=1.0)
    rows = []
    for folder, spec in specs.items():
        name = folder.path.name
        test, train, clean = courses.get(name, ([], [], []))
        end = max(spec.epochs, _last(test, train))
        logs = by_run.get(name)
        rows.append(
            RunRow(
                run_id=name,
                method=method_name(spec),
                label=method_name(spec, label=True),
                colour=colour(method_name(spec)),
                dataset=_known(folder, "dataset", spec.dataset),
                scale="" if folder.source else scale_text(spec),
                seed=_known(folder, "seed", spec.seed),
                state=folder.state,
                epochs=f"{_last(test, train)}/{_known(folder, 'epochs', spec.epochs)}",
                outcome=Outcome() if logs is None else outcome(logs),
                clean=PER_CENT * clean[-1][1] if clean else math.nan,
                test=spark(_finite(test), end, low, high),
                train=spark(_finite(train), end, low, high),
                begun=_begun(folder),
            )
        )
    return RunList(rows, PER_CENT * low, PER_CENT * high)


def scale_text(spec: RunSpec) -> str:
    """Return the scale that a run is nearest to; ``own`` if much is otherwise."""
    origin = nearest(spec)
    return origin.scale if len(origin.differs.keys() - {"seed"}) <= 3 else "own"


def _accuracies_by_run(
    store: RunStore, specs: dict[RunFolder, RunSpec]
) -> dict[str, pd.DataFrame]:
    ids = [folder.path.name for folder in specs if folder.state in ("done", "partial")]
    if not ids:
        return {}
    rows = accuracies(load_logs(store.root, ids, evaluations=False))
    return {str(name): run for name, run in rows.groupby("run_id", observed=True)}


def _courses(logs: pd.DataFrame) -> tuple[Points, Points, Points]:
    """Return test robust, train robust and test clean accuracy by epoch, fractions."""
    return (
        points(logs, split="test", robust=True),
        points(logs, split="train", robust=True),
        points(logs, split="test", robust=False),
    )


def _finite(course: Points) -> Points:
    return [(x, y) for x, y in course if math.isfinite(y)]


def _last(*courses: Points) -> int:
    return max((course[-1][0] for course in courses if course), default=0)


def _known(folder: RunFolder, field: str, value: object) -> str:
    """Return a field's value, ``?`` where the source of a run does not say it."""
    source = folder.source
    return "?" if source and field in source.unknown else str(value)


def _begun(folder: RunFolder) -> str:
    first = next(read_events(folder.path), {})
    return str(first.get("at", ""))[:16].replace("T", " ")
