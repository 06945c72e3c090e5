"""What `rofit run` and `reproduce` do: train what is missing, evaluate, publish."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from rofit.commands.session import Session
from rofit.errors import NothingToDraw, UserError
from rofit.reproduction import catalog
from rofit.reproduction.publish import draw, publish, result_folder, tabulate
from rofit.reproduction.wanted import Request, available
from rofit.settings.spec import RunSpec

Result = dict[str, Any]


def reproduce(
    session: Session,
    plans: dict[str, list[RunSpec]],
    diagnostics: tuple[str, ...],
    tell: Callable[[Result], None],
    left_out: Callable[[NothingToDraw], None],
) -> tuple[list[Result], bool]:
    """Return what became of each analysis, and whether all are complete.

    Args:
        session: the flags, understood.
        plans: analysis -> the runs that it needs.
        diagnostics: that watch every run.
        tell: called with each result.
        left_out: called where nothing of an analysis can be drawn; may raise it.

    Raises:
        UserError: what is asked for cannot be done.
    """
    results: list[Result] = []
    for name, specs in plans.items():
        try:
            if not _reproduce(session, name, specs, diagnostics):
                return results, False
        except NothingToDraw as error:
            left_out(error)
            continue
        results.append(_result(session.request(name), session.places.results))
        tell(results[-1])
    return results, True


def _reproduce(
    session: Session, name: str, specs: list[RunSpec], diagnostics: tuple[str, ...]
) -> bool:
    """Train what an analysis misses and publish it; say whether it is complete."""
    analysis, request = catalog.load_analysis(name), session.request(name)
    folder = result_folder(request, session.places.results)
    if session.flags.redraw:
        if not (folder / "table.csv").exists():
            raise NothingToDraw(f"no table.csv in {folder}; run without --redraw first")
        draw(name, folder)
        return True
    specs, absent = available(request, specs, session.store, session.places.data)
    if not specs:
        raise NothingToDraw(f"{name} has no data: {'; '.join(absent.values())}")
    if catalog.is_timed(name):
        table = analysis.table(_times(session, specs))
    else:
        _check_watched(session, specs, analysis.DIAGNOSTICS)
        if not session.train(specs, diagnostics, analysis.DIAGNOSTICS):
            return False
        attacks = catalog.evaluations(name, session.scale)
        if attacks and not session.evaluate(specs, attacks):
            return False
        table = tabulate(request, specs, session.store)
    publish(request, specs, table, folder, absent)
    return True


def _result(request: Request, results: Path) -> Result:
    """Return where an analysis's results are, and its claims."""
    name, folder = request.name, result_folder(request, results)
    kind = "md" if hasattr(catalog.load_figure(name), "render") else "png"
    return {
        "analysis": name,
        "paper": catalog.load_analysis(name).PAPER,
        "size": request.folder,
        "table": str(folder / "table.csv"),
        "shown": str(folder / f"{name}.{kind}"),
        "claims": json.loads((folder / "claims.json").read_text()),
    }


def _times(session: Session, specs: list[RunSpec]) -> pd.DataFrame:
    """Return the times of the runs' training steps, taken in turn."""
    from rofit.bench.costs import step_times  # these import torch
    from rofit.running.parts import find_device
    from rofit.training.engine import find_engine

    device = find_device(session.flags.device)
    engine, _ = find_engine(session.flags.engine, specs[0], device)
    return step_times(specs, session.places.data, device=device, engine=engine)


def _check_watched(
    session: Session, specs: list[RunSpec], diagnostics: Iterable[str]
) -> None:
    for spec in specs:
        folder = session.store.folder(spec.run_id)
        lacking = set(diagnostics) - folder.watched()
        if lacking and folder.state == "done":
            names = ", ".join(sorted(lacking))
            raise UserError(
                f"run {spec.run_id} was trained without {names}; move its folder "
                f"{folder.path} away and run again"
            )
