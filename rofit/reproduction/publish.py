"""From an analysis's logs to its picture: table, figure, claims, manifest."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from rofit.errors import UserError
from rofit.measures.claim_text import markdown
from rofit.measures.claims import as_plain, holm
from rofit.reproduction import catalog
from rofit.reproduction.beside import under
from rofit.reproduction.plan import Request, describe_data
from rofit.settings.spec import RunSpec
from rofit.store import digests
from rofit.store.environment import commit, versions
from rofit.store.files import write_text
from rofit.store.rows import load_logs
from rofit.store.runs import RunStore
from rofit.store.samples import load_samples
from rofit.store.tables import read_csv
from rofit.writing import unwritable, writing


def tabulate(request: Request, specs: list[RunSpec], store: RunStore) -> pd.DataFrame:
    """Return the analysis's table of the logs of its runs."""
    analysis = catalog.load_analysis(request.name)
    ids = [spec.run_id for spec in specs]
    diagnostics = getattr(analysis, "SAMPLES", ())
    samples = [load_samples(store.root, name, ids) for name in diagnostics]
    evaluated = bool(catalog.evaluations(request.name, request.scale))
    logs = load_logs(store.root, ids, evaluations=evaluated)
    table: pd.DataFrame = analysis.table(logs, *samples)
    return table


def publish(
    request: Request,
    specs: list[RunSpec],
    table: pd.DataFrame,
    folder: Path,
    absent: dict[str, str],
    others: pd.DataFrame | None = None,
) -> None:
    """Write table, picture, claims and manifest into *folder*.

    *absent* has a sentence for each data set whose runs could not be trained; *others*
    are rows of runs that are shown beside the analysis's own, and not judged.
    """
    analysis = catalog.load_analysis(request.name)
    _check_columns(request.name, table, analysis.COLUMNS)
    if absent:
        table.insert(0, "absent", "; ".join(absent.values()))
    table.insert(0, "data", describe_data(request, specs))
    table.insert(0, "scale", request.scale)
    make_folder(folder)
    shown = table if others is None else under(table, others)
    (folder / digests.LEDGER).unlink(missing_ok=True)  # of what was published before
    claims = holm(analysis.claims(table))
    for name, text in {
        "table.csv": shown.to_csv(index=False, lineterminator="\n"),
        "claims.json": _json([as_plain(claim) for claim in claims]),
        "claims.md": markdown(claims),
        "manifest.json": _json(_manifest(request, specs)),
    }.items():
        digests.write_text(folder / name, text, folder)
    draw(request.name, folder)


def draw(name: str, folder: Path) -> None:
    """Draw the saved table: a picture as PDF and PNG, a table as Markdown and LaTeX.

    A picture is drawn for the paper's page, and for its column.

    Raises:
        UserError: the table is not the one that was saved.
    """
    if not digests.is_sound(folder / "table.csv", folder):
        raise UserError(
            f"{folder / 'table.csv'} is not what was written; the same command without "
            "--redraw writes it again"
        )
    table, figure = read_csv(folder / "table.csv"), catalog.load_figure(name)
    if hasattr(figure, "render"):
        for kind, text in figure.render(table).items():
            write_text(folder / f"{name}.{kind}", text)
    else:
        draw_widths(partial(figure.draw, table), folder / name)


def draw_widths(draw_one: Callable[..., Any], stem: Path) -> None:
    """Save a picture for the paper's page, and one for its column.

    Args:
        draw_one: called with ``width`` in inches, returns the figure.
        stem: of the files; the column's have ``_column`` behind it.

    Raises:
        NotWritten: the disk does not take a file.
    """
    style = catalog.load_figure("_style")
    for ending, width in style.WIDTHS.items():
        file = stem.with_name(stem.name + ending)
        with writing(file):
            style.save(draw_one(width=width), file)


def make_folder(folder: Path) -> None:
    """Make a folder for results.

    Raises:
        UserError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(f"the folder of results {folder}", error, "--out") from None


def result_folder(request: Request, out: Path) -> Path:
    """Return where the results of a request are."""
    return out / request.folder / request.name


def read_result(request: Request, results: Path) -> dict[str, Any]:
    """Return where the published results of a request are, and their claims."""
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


def _json(content: Any) -> str:
    return json.dumps(content, indent=1) + "\n"


def _check_columns(name: str, table: pd.DataFrame, declared: dict[str, str]) -> None:
    if list(table.columns) != list(declared):
        raise UserError(
            f"{name}.table must have the columns {list(declared)}, has "
            f"{list(table.columns)}"
        )


def _manifest(request: Request, specs: list[RunSpec]) -> dict[str, Any]:
    beside = {"beside": list(request.beside)} if request.beside else {}
    return beside | {
        "analysis": request.name,
        "scale": request.scale,
        "overrides": request.settings,
        "seeds": request.seeds,
        "data": describe_data(request, specs),
        "runs": []
        if catalog.is_timed(request.name)
        else [spec.run_id for spec in specs],
        "commit": commit(),
        "versions": versions(),
    }
