"""An analysis: what it lacks is trained and evaluated, then it is published."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from rofit.errors import NothingToDraw, UserError
from rofit.reproduction import catalog
from rofit.reproduction.available import available
from rofit.reproduction.beside import other_rows
from rofit.reproduction.plan import Request
from rofit.reproduction.publish import draw, publish, result_folder, tabulate
from rofit.settings.scales import find_scale
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunFolder, RunStore


def reproduce(
    request: Request,
    specs: list[RunSpec],
    results: Path,
    *,
    jobs: int,
    devices: tuple[str, ...],
    log_to: tuple[str, ...],
    deterministic: bool,
    execution: Callable[[], dict[str, Any]],
) -> bool:
    """Train and evaluate what the analysis lacks, and publish it; say if all is done.

    Args:
        request: the analysis and its size.
        specs: the runs of its plan.
        results: folder of all results.
        jobs: runs side by side.
        devices: to spread the runs over, in place of one; none for one.
        log_to: sinks that are fed while the runs train.
        deterministic: the same bits twice on a GPU too.
        execution: where and for how long from now on, as `rofit.train` and
            `rofit.evaluate` both take it.

    Raises:
        NothingToDraw: none of its data are there.
        UserError: the request cannot be carried out.
    """
    from rofit.diagnostics import DIAGNOSTICS  # here and below: what imports torch
    from rofit.methods.resolve import resolve
    from rofit.running.train import train
    from rofit.training.stop import Stop

    specs = [resolve(spec) for spec in specs]
    name, analysis = request.name, catalog.load_analysis(request.name)
    where = execution()
    store = RunStore(where["store"])
    specs, absent = available(request, specs, store, where["data"])
    if not specs:
        raise NothingToDraw(f"{name} has no data: {'; '.join(absent.values())}")
    folders = [store.folder(spec.run_id) for spec in specs]
    if catalog.is_timed(name):
        table = analysis.table(_step_times(specs, where))
    else:
        check_diagnostics(folders, analysis.DIAGNOSTICS)
        with Stop() as stop:  # a signal at the very end of the last run is heard here
            train(
                *specs,
                diagnostics=tuple(DIAGNOSTICS),
                required=analysis.DIAGNOSTICS,
                jobs=jobs,
                devices=devices,
                log_to=log_to,
                deterministic=deterministic,
                **execution(),
            )
            if stop.now or any(folder.state != "done" for folder in folders):
                return False
            if not _evaluate(request, specs, jobs, devices, execution()):
                return False
        table = tabulate(request, specs, store)
    folder = result_folder(request, results)
    others = other_rows(request, table, store)
    publish(request, specs, table, folder, absent, others)
    return True


def redraw(request: Request, results: Path) -> None:
    """Draw the saved table anew.

    Raises:
        NothingToDraw: there is none.
    """
    folder = result_folder(request, results)
    if not (folder / "table.csv").exists():
        raise NothingToDraw(f"no table.csv in {folder}; run without --redraw first")
    draw(request.name, folder)


def _evaluate(
    request: Request,
    specs: list[RunSpec],
    jobs: int,
    devices: tuple[str, ...],
    execution: dict[str, Any],
) -> bool:
    """Evaluate best and last of every run, as far as the scale has the time."""
    attacks = catalog.evaluations(request.name, request.scale)
    if not attacks:
        return True
    from rofit.running.evaluation_jobs import evaluate_runs

    longest = find_scale(request.scale).longest
    at_a_time: dict[str, Any] = {"jobs": jobs, "devices": devices}
    return evaluate_runs(specs, attacks, longest=longest, **at_a_time, **execution)


def _step_times(specs: list[RunSpec], where: dict[str, Any]) -> pd.DataFrame:
    """Return the times of the runs' training steps, taken in turn."""
    from rofit.bench.costs import step_times
    from rofit.running.components import find_device
    from rofit.training.engine import find_engine

    device = find_device(where["device"])
    engine, _ = find_engine(where["engine"], specs[0], device)
    return step_times(specs, where["data"], device=device, engine=engine)


def check_diagnostics(folders: list[RunFolder], required: tuple[str, ...]) -> None:
    """Raise UserError for a run that is done and lacks a diagnostic."""
    for folder in folders:
        lacking = set(required) - folder.watched()
        if lacking and folder.state == "done":
            names = ", ".join(sorted(lacking))
            raise UserError(
                f"run {folder.path.name} was trained without {names}; rofit train "
                f"--spec {folder.path}/spec.json --again trains it with them and keeps "
                "the old one"
            )
