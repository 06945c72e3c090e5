"""Texts of a model card that no name can break: code spans, tables, YAML.

Names come from the user and from other programs' files; numbers are written as the
field writes them.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rofit.errors import escaped


def code(text: object) -> str:
    """Return a text as a code span, in which nothing is markup.

    Examples:
        >>> print(code("pgd20"), code("a`b"))
        `pgd20` ``a`b``
    """
    plain = escaped(str(text))
    fence = "`" * (max(map(len, re.findall("`+", plain)), default=0) + 1)
    space = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{space}{plain}{space}{fence}"


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows of the same keys as a table of Markdown."""
    heads = list(rows[0])
    lines = [heads, ["---"] * len(heads), *([row[h] for h in heads] for row in rows)]
    safe = [[cell.replace("|", "\\|") for cell in cells] for cells in lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in safe)


def bullets(lines: Iterable[str]) -> str:
    """Return lines as a list of Markdown."""
    return "\n".join(f"- {line}" for line in lines)


def header(metadata: Mapping[str, Any], *comments: str) -> str:
    """Return the YAML header of a card: a key a line, its value as JSON, which is YAML.

    Args:
        metadata: plain values; texts may hold anything that can be printed.
        comments: lines for the reader of the file.
    """
    dumped = {k: json.dumps(v, ensure_ascii=False) for k, v in metadata.items()}
    lines = [f"{key}: {escaped(text)}" for key, text in dumped.items()]
    return "\n".join(["---", *lines, *(f"# {text}" for text in comments), "---"])


def per_cent(accuracy: float) -> str:
    """Return a fraction in per cent, two decimals, as the field's tables have it.

    Examples:
        >>> per_cent(0.5034), per_cent(1.0)
        ('50.34', '100.00')
    """
    return f"{100 * accuracy:.2f}"


def in_255ths(value: float) -> str:
    """Return a length in input units as a whole number of 255ths, if it is one.

    Examples:
        >>> in_255ths(8 / 255), in_255ths(0.5), in_255ths(0)
        ('8/255', '0.5', '0')
    """
    numerator = round(255 * value)
    whole = numerator and abs(255 * value - numerator) < 1e-9
    return f"{numerator}/255" if whole else f"{value:g}"
