"""Rows as text: tables that fit a terminal, tab-separated lines in a pipe.

No word and no id is broken: where a table does not fit, each row is a paragraph.
"""

import math
import textwrap
from typing import Any

from rich.markup import escape
from rich.table import Table

from rofit.measures.claim_text import how_judged, interval_text, measured_text
from rofit.measures.claims import Claim

Rows = list[dict[str, Any]]

_MARKS = {  # verdict -> mark, word, colour
    "holds": ("✓", "holds", "green"),
    "fails": ("✗", "fails", "red"),
    "not decidable at this scale": ("?", "undecided", "yellow"),
}
_GAP = 2  # spaces between columns


def table(title: str, rows: Rows, width: int) -> Table | str:
    """Return rows of one kind for a terminal of *width* columns, as rich prints them.

    The keys of the first row are the headings.
    """
    cells = [[cell_text(value) for value in row.values()] for row in rows]
    headings = [_heading(key) for key in rows[0]] if rows else ["nothing yet"]
    widths = _widths(list(zip(headings, *cells, strict=True)), width)
    if widths is None:
        return _paragraphs(title, headings, cells, width)
    drawn = Table(
        title=escape(title),
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=None,
        padding=0,
    )
    for number, (heading, size) in enumerate(zip(headings, widths, strict=True)):
        values = [list(row.values())[number] for row in rows]
        numbers = bool(rows) and all(map(_is_number, values))
        if number:
            drawn.add_column(width=_GAP)
        drawn.add_column(heading, width=size, justify="right" if numbers else "left")
    for row in cells:
        drawn.add_row(*[text for cell in row for text in ("", escape(cell))][1:])
    return drawn


def tab_separated(title: str, rows: Rows) -> str:
    """Return rows of one kind as lines for a pipe: the title, the keys, the values."""
    lines = [f"# {_flat(title)}"]
    if rows:
        lines.append("\t".join(map(_flat, rows[0])))
    for row in rows:
        lines.append("\t".join(_flat(cell_text(value)) for value in row.values()))
    return "".join(f"{line}\n" for line in lines)


def claim_lines(claims: list[Claim], title: str, width: int) -> str:
    """Return claims for a terminal, in rich's markup: a mark and a sentence each.

    Below it what was measured and what was needed.
    """
    lines = [f"[bold]{escape(title)}[/bold]"]
    for claim in claims:
        mark, word, colour = _MARKS[claim.verdict]
        sentence = f"{claim.sentence} ({claim.source})"
        measured = f"{_measured(claim)}; needed {claim.needed}"
        first, *rest = (
            *_wrapped(sentence, width - 12),
            *(f"[dim]{line}[/dim]" for line in _wrapped(measured, width - 12)),
        )
        lines.append(f"[{colour}]{mark} {word:9}[/{colour}] {first}")
        lines += [f"{'':12}{line}" for line in rest]
    judged = (f"[dim]{line}[/dim]" for line in _wrapped(how_judged(claims), width))
    return "\n".join([*lines, *judged])


def claim_rows(claims: list[Claim]) -> Rows:
    """Return a row a claim, for a pipe."""
    return [
        {
            "verdict": claim.verdict,
            "claim": claim.sentence,
            "source": claim.source,
            "measured": measured_text(claim),
            "interval": interval_text(claim),
            "needed": claim.needed,
        }
        for claim in claims
    ]


def cell_text(value: Any) -> str:
    """Return a value as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return ""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(cell_text, value))
    return str(value)


def _heading(key: str) -> str:
    return key.replace("_", " ") if key.isidentifier() else key


def _widths(columns: list[tuple[str, ...]], width: int) -> list[int] | None:
    """Return columns' widths, narrow ones whole; None if the words do not fit."""
    longest = [max(map(len, column)) for column in columns]
    words = [
        max(len(w) for cell in column for w in cell.split() or [""])
        for column in columns
    ]
    left = width - _GAP * (len(columns) - 1)
    if sum(longest) <= left:
        return longest
    if sum(words) > left:
        return None
    widths = words
    left -= sum(words)
    by_need = sorted(range(len(columns)), key=lambda n: longest[n] - words[n])
    for place, number in enumerate(by_need):
        share = left // (len(columns) - place)
        more = min(longest[number] - words[number], share)
        widths[number] += more
        left -= more
    return widths


def _paragraphs(
    title: str, headings: list[str], cells: list[list[str]], width: int
) -> str:
    """Return rows as paragraphs, a line a heading, in rich's markup."""
    indent = max(map(len, headings)) + _GAP
    lines = [f"[bold]{escape(title)}[/bold]"]
    for row in cells:
        for heading, cell in zip(headings, row, strict=True):
            if cell:
                first, *rest = _wrapped(cell, width - indent)
                lines.append(f"[dim]{heading:{indent}}[/dim]{first}")
                lines += [f"{'':{indent}}{line}" for line in rest]
        lines.append("")
    return "\n".join(lines)


def _wrapped(text: str, width: int) -> list[str]:
    wrapped = textwrap.wrap(
        text, max(width, 20), break_long_words=False, break_on_hyphens=False
    )
    return [escape(line) for line in wrapped] or [""]


def _measured(claim: Claim) -> str:
    interval = interval_text(claim)
    return f"{measured_text(claim)} ({interval})" if interval else measured_text(claim)


def _is_number(value: Any) -> bool:
    return (
        value is None or isinstance(value, int | float) and not isinstance(value, bool)
    )


def _flat(text: str) -> str:
    """Return a text on one line without tabs."""
    return " ".join(text.replace("\t", " ").splitlines())
