"""What rofit says on a terminal: tables of claims and runs, a curve in characters."""

import math
from typing import Any

import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table

from rofit.measures.claim_text import how_judged, interval_text, measured_text
from rofit.measures.claims import Claim
from rofit.measures.metrics import best_last_gap, curve

_COLOURS = {"holds": "green", "fails": "red", "not decidable at this scale": "yellow"}
_HEIGHT, _WIDTH = 12, 64


def claims_table(claims: list[Claim], title: str) -> Table:
    """Return the claims, a row each: verdict, sentence, measured against needed."""
    table = Table(
        title=escape(title),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        caption=how_judged(claims),
        caption_justify="left",
    )
    table.add_column("verdict", min_width=5)
    table.add_column("claim")
    table.add_column("measured; needed")
    for claim in claims:
        colour = _COLOURS[claim.verdict]
        table.add_row(
            f"[{colour}]{claim.verdict}[/{colour}]",
            f"{escape(claim.sentence)} [dim]({escape(claim.source)})[/dim]",
            f"{_measured(claim)}; needed {claim.needed}",
        )
    return table


def _measured(claim: Claim) -> str:
    interval = interval_text(claim)
    return f"{measured_text(claim)} ({interval})" if interval else measured_text(claim)


def listing(title: str, rows: list[dict[str, Any]]) -> Table:
    """Return rows of one kind as a table, the keys of the first being the headings."""
    table = Table(title=escape(title), title_justify="left")
    for heading in rows[0] if rows else ["nothing yet"]:
        word = heading.replace("_", " ") if heading.isidentifier() else heading
        table.add_column(word, overflow="fold")
    for row in rows:
        table.add_row(*(escape(_text(value)) for value in row.values()))
    return table


def best_last_gap_text(logs: pd.DataFrame) -> str:
    """Return best, last and gap of one run in two lines."""
    summary = best_last_gap(logs).iloc[0]
    split = {"val": "validation"}.get(summary["selected_on"], "test")
    if not summary["best_epoch"]:
        return "no epoch has an accuracy and a loss that are finite: there is no best"
    return (
        f"best {100 * summary['best']:.1f} % at epoch {summary['best_epoch']} "
        f"(chosen on {split}), last {_finite(summary['last'], '%')} at epoch "
        f"{summary['epochs']}, gap {_finite(summary['gap'], 'points')}\n"
        f"chosen on test images, as most publications do: best "
        f"{100 * summary['oracle_best']:.1f} % at epoch {summary['oracle_epoch']}, "
        f"gap {_finite(summary['oracle_gap'], 'points')}"
    )


def _finite(share: float, unit: str) -> str:
    return "not finite" if math.isnan(share) else f"{100 * share:.1f} {unit}"


def robust_curve(logs: pd.DataFrame) -> str:
    """Return the robust accuracy of one run by epoch, drawn in characters.

    ``*`` test images, ``.`` training adversaries on the fly.
    """
    lines = {
        mark: curve(logs, split=split).iloc[:, 0].dropna() * 100
        for mark, split in ((".", "train"), ("*", "test"))
        if len(curve(logs, split=split))
    }
    values = pd.concat(lines.values())
    low, high = math.floor(values.min()), math.ceil(values.max())
    first, last = int(values.index.min()), int(values.index.max())
    width = min(_WIDTH, last - first + 1)
    grid = [[" "] * width for _ in range(_HEIGHT)]
    for mark, line in lines.items():
        for epoch, value in zip(line.index.tolist(), line.tolist(), strict=True):
            column = round((epoch - first) / max(last - first, 1) * (width - 1))
            row = round((high - value) / max(high - low, 1) * (_HEIGHT - 1))
            grid[row][column] = mark
    labels = [f"{high:3d} %"] + ["     "] * (_HEIGHT - 2) + [f"{low:3d} %"]
    body = "\n".join(
        f"{label} |{''.join(row)}" for label, row in zip(labels, grid, strict=True)
    )
    footer = f"epoch {first}".ljust(max(width - len(str(last)), 8)) + str(last)
    return f"robust accuracy: * test, . train\n{body}\n       {footer}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return ""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    return str(value)
