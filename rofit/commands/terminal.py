"""What rofit says on a terminal: tables of claims and runs, a curve in characters."""

import math
from typing import Any

import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table

from rofit.measures.claims import Claim, measured_text
from rofit.measures.metrics import best_last_gap, curve

_COLOURS = {"holds": "green", "fails": "red", "not decidable at this scale": "yellow"}
_HEIGHT, _WIDTH = 12, 64


def claims_table(claims: list[Claim], title: str) -> Table:
    """Return the claims, a row each: verdict, sentence, measured against needed."""
    shown = Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD)
    shown.add_column("verdict", min_width=5)
    shown.add_column("claim")
    shown.add_column("measured, over seeds; needed")
    for claim in claims:
        colour = _COLOURS[claim.verdict]
        shown.add_row(
            f"[{colour}]{claim.verdict}[/{colour}]",
            f"{escape(claim.sentence)} [dim]({escape(claim.source)})[/dim]",
            f"{measured_text(claim)}; needed {claim.needed}",
        )
    return shown


def listing(title: str, rows: list[dict[str, Any]]) -> Table:
    """Return rows of one kind as a table, the keys of the first being the headings."""
    shown = Table(title=escape(title), title_justify="left")
    for heading in rows[0] if rows else ["nothing yet"]:
        word = heading.replace("_", " ") if heading.isidentifier() else heading
        shown.add_column(word, overflow="fold")
    for row in rows:
        shown.add_row(*(escape(_text(value)) for value in row.values()))
    return shown


def best_last_gap_text(logs: pd.DataFrame) -> str:
    """Return best, last and gap of one run in two lines."""
    found = best_last_gap(logs).iloc[0]
    split = {"val": "validation"}.get(found["selected_on"], "test")
    return (
        f"best {100 * found['best']:.1f} % at epoch {found['best_epoch']} (chosen on "
        f"{split}), last {100 * found['last']:.1f} % at epoch {found['epochs']}, "
        f"gap {100 * found['gap']:.1f} points\n"
        f"chosen on test images, as most publications do: best "
        f"{100 * found['oracle_best']:.1f} % at epoch {found['oracle_epoch']}, "
        f"gap {100 * found['oracle_gap']:.1f} points"
    )


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
    foot = f"epoch {first}".ljust(max(width - len(str(last)), 8)) + str(last)
    return f"robust accuracy: * test, . train\n{body}\n       {foot}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return ""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    return str(value)
