"""One published analysis: picture, claims, table, manifest, and its runs."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rofit.errors import UserError
from rofit.measures.claim_text import how_judged, interval_text, measured_text
from rofit.measures.claims import Claim, from_plain
from rofit.report.images import file_uri
from rofit.report.markdown import Block, blocks
from rofit.report.store import RunList, list_runs
from rofit.reproduction import catalog
from rofit.store.digests import is_sound
from rofit.store.runs import RunStore
from rofit.store.tables import read_csv

_MOST_ROWS = 400  # of a table


@dataclass(frozen=True)
class ClaimRow:
    """A claim in words, and where its interval lies on the common axis of its unit.

    Attributes:
        interval: low, measured and high as shares of the axis, None without one.
        zero: the place of 0 on it.
    """

    claim: Claim
    measured: str
    low_to_high: str
    interval: tuple[float, float, float] | None
    zero: float


@dataclass(frozen=True)
class AnalysisReport:
    """What the page of an analysis shows.

    Attributes:
        picture: PNG as a data URI, empty for a table.
        drawn: blocks of the table that was rendered, empty for a picture.
        claims: with intervals; empty where only *claims_text* is there.
        heads: columns of table.csv.
        left_out: rows of table.csv that are not shown.
        runs: those of its runs that are in the store.
        absent: ids of the others.
        damaged: files that are not what was written.
    """

    name: str
    paper: str
    about: str
    status: str
    picture: str
    drawn: list[Block]
    claims: list[ClaimRow]
    how_judged: str
    claims_text: list[Block]
    columns: dict[str, str]
    heads: list[str]
    rows: list[list[str]]
    left_out: int
    manifest: list[tuple[str, str]]
    runs: RunList
    absent: list[str]
    damaged: list[str]


def analysis_report(folder: Path, store: RunStore) -> AnalysisReport:
    """Return the report of what an analysis has published in *folder*.

    Raises:
        UserError: its manifest is not there or cannot be read.
    """
    manifest = _manifest(folder)
    name = str(manifest["analysis"])
    module = catalog.load_analysis(name)
    ids = [str(run) for run in manifest.get("runs", [])]
    runs = list_runs(store, ids)
    here = {row.run_id for row in runs.rows}
    claims = _claims(folder / "claims.json")
    heads, rows, left_out = _table(folder / "table.csv")
    picture = folder / f"{name}.png"
    files = [p for p in sorted(folder.iterdir()) if p.is_file()]
    return AnalysisReport(
        name=name,
        paper=str(module.PAPER),
        about=catalog.summary(module),
        status=str(module.STATUS),
        picture=file_uri(picture) if picture.exists() else "",
        drawn=_blocks(folder / f"{name}.md"),
        claims=_claim_rows(claims),
        how_judged=how_judged(claims) if claims else "",
        claims_text=[] if claims else _blocks(folder / "claims.md"),
        columns=dict(module.COLUMNS),
        heads=heads,
        rows=rows,
        left_out=left_out,
        manifest=[
            (k, _words(v))
            for k, v in manifest.items()
            if k != "runs" and v not in ({}, None)
        ],
        runs=runs,
        absent=[run for run in ids if run not in here],
        damaged=[path.name for path in files if not is_sound(path, folder)],
    )


def published(results: Path, name: str, scale: str | None) -> Path:
    """Return the folder that an analysis was published in.

    Raises:
        UserError: there is none, or there are several.
    """
    folders = [path.parent for path in sorted(results.glob(f"*/{name}/manifest.json"))]
    if scale:
        folders = [f for f in folders if _manifest(f).get("scale") == scale]
    if len(folders) == 1:
        return folders[0]
    if not folders:
        of = f" at scale {scale}" if scale else ""
        raise UserError(
            f"no results of {name}{of} in {results}; rofit run {name} makes them"
        )
    listed = ", ".join(map(str, folders))
    raise UserError(f"several results of {name}: name one of the folders {listed}")


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_bytes())
        if isinstance(manifest, dict) and isinstance(manifest["analysis"], str):
            return manifest
    except (OSError, ValueError, LookupError):
        pass
    raise UserError(f"{path} is missing or damaged: no analysis was published there")


def _claims(path: Path) -> list[Claim]:
    """Return the claims of a claims.json, none where it cannot be read."""
    try:
        return [from_plain(values) for values in json.loads(path.read_bytes())]
    except (OSError, ValueError, TypeError, AttributeError):
        return []


def _claim_rows(claims: list[Claim]) -> list[ClaimRow]:
    rows = []
    for claim in claims:
        same = [c for c in claims if c.unit == claim.unit and c.low == c.low]
        ends = [0.0, *(c.low for c in same), *(c.high for c in same)]
        low, high = min(ends), max(ends)
        span = (high - low) or 1.0
        places = [(v - low) / span for v in (claim.low, claim.measured, claim.high)]
        has_interval = claim.low == claim.low
        rows.append(
            ClaimRow(
                claim,
                measured_text(claim),
                interval_text(claim),
                (places[0], places[1], places[2]) if has_interval else None,
                -low / span,
            )
        )
    return rows


def _table(path: Path) -> tuple[list[str], list[list[str]], int]:
    """Return heads, rows as text, and how many rows are left out."""
    if not path.exists():
        return [], [], 0
    table = read_csv(path)
    shown = table.head(_MOST_ROWS)
    rows = [[_cell(value) for value in row] for row in shown.itertuples(index=False)]
    return list(map(str, table.columns)), rows, len(table) - len(shown)


def _cell(value: Any) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _blocks(path: Path) -> list[Block]:
    return blocks(path.read_text(errors="replace")) if path.exists() else []


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
