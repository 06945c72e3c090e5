r"""Tables of a line an epoch: CSV and what is like it, and JSON lines.

Separated by commas, semicolons or tabs, with names in the first line; exports of W&B
and trackio are such tables, as is the ``log.txt`` of many training programs. Which
column is what, ``--columns`` says, or their names where they are rofit's tags.
"""

import csv
import json
import re

from rofit.errors import UserError, quoted
from rofit.interop.logs.columns import MOST_COLUMNS, read_columns
from rofit.interop.logs.foreign import ForeignLog

_STAMP = re.compile(r"^\[[^\]]{4,40}\] - ")
_Table = dict[str, list[float | None]]


def is_json_lines(head: str) -> bool:
    """Return whether the first line is a JSON object."""
    first = head.lstrip().partition("\n")[0]
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def is_table(head: str) -> bool:
    """Return whether the first lines are names, then numbers, separated alike."""
    lines = [_STAMP.sub("", line) for line in head.splitlines() if line.strip()][:2]
    if len(lines) < 2:
        return False
    separator = _separator(lines[0])
    names, cells = (_cells(line, separator) for line in lines)
    numbers = sum(_number(cell) is not None for cell in cells)
    return numbers > 0 and any(_number(name) is None for name in names)


def read_table(text: str, columns: dict[str, str]) -> ForeignLog:
    """Return the log of a table with names in its first line.

    Raises:
        UserError: too many columns, or none that is understood.
    """
    lines = [_STAMP.sub("", line) for line in text.splitlines() if line.strip()]
    separator = _separator(lines[0])
    names = _cells(lines[0], separator)
    _check_count(len(names))
    if twice := {name for name in names if name and names.count(name) > 1}:
        raise UserError(f"two columns are called {quoted(min(twice))}")
    table: _Table = {name: [] for name in names if name}
    try:
        for cells in csv.reader(lines[1:], delimiter=separator):
            if [cell.strip() for cell in cells] == names:
                continue  # the names again, of a start that went on
            for position, name in enumerate(names):
                if name:
                    cell = cells[position] if position < len(cells) else ""
                    table[name].append(_number(cell))
    except csv.Error as error:
        raise UserError(f"a line that is none of a table ({error})") from None
    return read_columns(table, columns, own="columns")


def read_json_lines(text: str, columns: dict[str, str]) -> ForeignLog:
    """Return the log of lines that are JSON objects; keys are columns.

    Raises:
        UserError: a line that is none, too many keys, or none that is understood.
    """
    table: _Table = {}
    count = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise UserError(f"line {number} is no JSON object, as the lines before it")
        for name in values.keys() - table.keys():
            table[str(name)] = [None] * count
            _check_count(len(table))
        count += 1
        for name, cells in table.items():
            value = values.get(name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            cells.append(float(value) if is_number else None)  # type: ignore[arg-type]
    return read_columns(table, columns, own="keys")


def _separator(header: str) -> str:
    counts = {separator: header.count(separator) for separator in "\t,;"}
    return max(counts, key=lambda separator: counts[separator])


def _cells(line: str, separator: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=separator))
    except (csv.Error, StopIteration):
        return []
    return [cell.strip() for cell in cells]


def _number(cell: str) -> float | None:
    """Return the number in a cell, None where it is empty or a text."""
    text = cell.strip().removesuffix("%").strip()
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _check_count(columns: int) -> None:
    if columns > MOST_COLUMNS:
        raise UserError(
            f"expected at most {MOST_COLUMNS:,} columns, got {columns:,} or more; keep "
            "those that are needed"
        )
