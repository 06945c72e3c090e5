"""The tables and paragraphs of our own Markdown files, as plain texts."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """A cell's text, and whether it is bold."""

    text: str
    bold: bool


@dataclass(frozen=True)
class Block:
    """A paragraph, or a table with heads and rows of cells."""

    text: str
    heads: list[str]
    rows: list[list[Cell]]


def blocks(text: str) -> list[Block]:
    r"""Return the blocks of a Markdown text: tables, and all else as paragraphs.

    Examples:
        >>> table, note = blocks("| a |\n|---|\n| **1** |\n\nMean of 3.")
        >>> table.heads, table.rows, note.text
        (['a'], [[Cell(text='1', bold=True)]], 'Mean of 3.')
    """
    return [
        _table(part.splitlines()) if part.startswith("|") else Block(part, [], [])
        for part in re.split(r"\n\s*\n", text.strip())
        if part
    ]


def _table(lines: list[str]) -> Block:
    heads, _, *rows = [_cells(line) for line in lines] + [[]] * (len(lines) < 2)
    return Block("", [cell.text for cell in heads], rows)


def _cells(line: str) -> list[Cell]:
    texts = re.split(r"(?<!\\)\|", line.strip().strip("|"))
    return [_cell(text.strip().replace("\\|", "|")) for text in texts]


def _cell(text: str) -> Cell:
    bold = len(text) > 4 and text.startswith("**") and text.endswith("**")
    return Cell(text[2:-2] if bold else text, bold)
