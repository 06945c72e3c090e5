"""Runs in the store, and data sets, as rows for the terminal."""

import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from rofit.commands.session import Session, notify
from rofit.errors import NothingToDraw, Remark, UserError
from rofit.measures.metrics import best_last_gap
from rofit.reproduction import catalog
from rofit.settings.spec import RunSpec
from rofit.store.environment import changes_since
from rofit.store.evaluations import evaluations
from rofit.store.rows import load_logs
from rofit.store.runs import RunFolder, RunStore

Rows = list[dict[str, Any]]
_AT_ONCE = 100  # runs whose logs are read together


def diagnostics(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return *names* without repetitions, or all diagnostics if there are none.

    Raises:
        UserError: no such diagnostic.
    """
    from rofit.diagnostics import DIAGNOSTICS, find_diagnostic

    for name in names:
        find_diagnostic(name)
    return tuple(dict.fromkeys(names)) or tuple(DIAGNOSTICS)


def run_row(folder: RunFolder, spec: RunSpec) -> dict[str, Any]:
    """Return one run: state, epochs done, best / last / gap in per cent."""
    return run_rows([(folder, spec)])[0]


def run_rows(runs: Sequence[tuple[RunFolder, RunSpec]]) -> Rows:
    """Return a row a run, as `run_row`."""
    begun = [folder for folder, _ in runs if folder.state in ("done", "partial")]
    logged = _logged(begun)
    return [
        _run_row(folder, spec, logged.get(folder.path.name)) for folder, spec in runs
    ]


def _run_row(
    folder: RunFolder, spec: RunSpec, logged: dict[str, Any] | None
) -> dict[str, Any]:
    source = folder.source if folder.state != "missing" else None
    unknown = source.unknown if source else ()
    row: dict[str, Any] = {
        "run": folder.path.name,
        "seed": None if "seed" in unknown else spec.seed,
        "state": folder.state,
        "epochs": None if "epochs" in unknown else f"0/{spec.epochs}",
        "best": None,
        "last": None,
        "gap": None,
        "changed since": ", ".join(changes_since(folder, spec)),
    }
    if logged is None:
        return row
    if "last" in logged:
        of = "?" if "epochs" in unknown else spec.epochs
        row["epochs"] = f"{logged['epochs']}/{of}"
        for key in ("best", "last", "gap"):
            value = round(100 * float(logged[key]), 1)
            row[key] = None if math.isnan(value) else value  # JSON has no NaN
    else:  # of others, without robust accuracies of test images
        row["epochs"] = f"{logged['epochs']}/{spec.epochs}"
    return row


def _logged(folders: Sequence[RunFolder]) -> dict[str, dict[str, Any]]:
    """Return run id -> epochs, best, last and gap, as far as its log has them.

    Read some at a time: a table has much the same cost for one run as for many.

    Raises:
        UserError: a run that cannot be read.
    """
    logged: dict[str, dict[str, Any]] = {}
    for start in range(0, len(folders), _AT_ONCE):
        ids = [folder.path.name for folder in folders[start : start + _AT_ONCE]]
        logged |= _outcomes(load_logs(folders[0].path.parent, ids, evaluations=False))
    return logged


def _outcomes(logs: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return run id -> epochs, best, last and gap, as far as these logs have them."""
    epochs = logs.groupby("run_id", observed=True)["epoch"].max()
    outcomes = {str(run): {"epochs": epoch} for run, epoch in epochs.items()}
    for run, outcome in best_last_gap(logs).iterrows():
        outcomes[str(run)] = outcome.to_dict()
    return outcomes


def state_text(row: dict[str, Any]) -> str:
    """Return in words how far the run of a `run_row` is."""
    epochs = f", {row['epochs']} epochs" if row["epochs"] else ""
    changed = f"; changed since: {row['changed since']}" if row["changed since"] else ""
    return f"{row['state']}{epochs}{changed}"


def missing(plans: dict[str, list[RunSpec]], store: RunStore) -> Rows:
    """Return the state of every run that the analyses need, teachers first."""
    from rofit.methods.resolve import all_teachers

    return [
        {"analysis": name} | row
        for name, specs in plans.items()
        if not catalog.is_timed(name)
        for row in run_rows(
            [
                (store.folder(spec.run_id), spec)
                for spec in dict.fromkeys([*all_teachers(specs), *specs])
            ]
        )
    ]


def status(session: Session) -> dict[str, Rows]:
    """Return the runs of the store, and how far each analysis is at the scale.

    Analyses of other data sets than those that ``--data`` has are left out.
    """
    from rofit.reproduction.plan import plan

    analyses = []
    trained = [n for n in catalog.analysis_names() if not catalog.is_timed(n)]
    for name in trained:
        try:
            specs = plan(session.request(name))
        except NothingToDraw:
            continue  # of other data sets than --data has
        states = [session.store.folder(spec.run_id).state for spec in specs]
        counts = {s: states.count(s) for s in ("done", "missing")}
        counts["partial"] = len(states) - sum(counts.values())
        analyses.append({"analysis": name, "scale": session.scale} | counts)
    runs = _readable_rows(session.store.runs())
    sections = {"analyses": analyses, f"runs in {session.places.store}": runs}
    return sections | _jobs(session.store)


def _readable_rows(folders: Sequence[RunFolder]) -> Rows:
    """Return a row a run; what cannot be read is left out, with a warning."""
    try:
        return run_rows([(folder, folder.spec) for folder in folders])
    except UserError as error:
        if len(folders) == 1:
            text = f"{folders[0].path} is left out: {error}"
            warnings.warn(text, category=Remark, stacklevel=2)
            return []
    half = len(folders) // 2  # some run cannot be read: in halves, down to it
    return _readable_rows(folders[:half]) + _readable_rows(folders[half:])


def _jobs(store: RunStore) -> dict[str, Rows]:
    """Return a section of the jobs on a cluster, if any were submitted."""
    from rofit.cluster.ledger import Ledger
    from rofit.cluster.queue import Queued, read_queue
    from rofit.cluster.states import rows

    if not Ledger(store.root).jobs():
        return {}
    queue: dict[str, Queued] = {}
    try:
        queue = read_queue()
    except UserError as error:
        text = f"of jobs in the queue nothing is known: {error}"
        warnings.warn(text, category=Remark, stacklevel=2)
    return {f"jobs of {store.root}": rows(store, queue)}


def run_details(folder: RunFolder) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return a run's spec, state and evaluations as rows, and its logs."""
    stored, default = folder.spec.as_dict(), RunSpec().as_dict()
    source = folder.source
    unknown = source.unknown if source else ()
    spec = [
        {"field": key, "value": stored[key], "default": default[key]}
        for key in default
        if key not in unknown and (source or stored[key] != default[key])
    ]
    if source:
        spec.insert(0, {"field": "source", "value": source.title, "default": ""})
        spec.append({"field": "unknown", "value": ", ".join(unknown), "default": ""})
    logs = load_logs(folder.path.parent, [folder.path.name], evaluations=False)
    outcomes = _outcomes(logs) if len(logs) else {}
    state = _run_row(folder, folder.spec, outcomes.get(folder.path.name))
    evaluated = [
        {
            "checkpoint": result["checkpoint"],
            "epoch": result["epoch"],
            "attack": result["attack"],
            "norm": result["norm"],
            "epsilon * 255": round(255 * result["epsilon"], 3),
            "n": result["n"],
            "accuracy %": round(100 * result["accuracy"], 2),
        }
        for result in evaluations(folder)
    ]
    return {"run": state, "spec": spec, "evaluations": evaluated}, logs


def data(session: Session, name: str | None, fetch: bool) -> dict[str, Rows]:
    """Return the data sets, after fetching or decoding the one called *name*."""
    from rofit.data import datasets, folders

    root = session.places.data
    title = f"data sets in {root}"
    if name is None:
        columns = ("name", "size", "present", "where")
        descriptions = map(asdict, datasets.describe(root))
        return {title: [{key: row[key] for key in columns} for row in descriptions]}
    if name not in datasets.DATASETS and os.path.exists(name):
        dataset = folders.read_class_folders(Path(name), cache=root, say=notify)
    else:
        dataset = datasets.load(name, root=root, download=fetch)
    rows = [row for row in datasets.describe(root) if row.name == dataset.name]
    return {title: [asdict(row) for row in rows]}
