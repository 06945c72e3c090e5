"""The settings that a program prints at its start: ``Namespace(lr=0.1, ...)``."""

import ast
import re
from itertools import islice
from typing import Any

_LONGEST = 20_000  # characters
_MOST = 1000  # starts of one run


def find_namespaces(text: str) -> list[tuple[int, dict[str, Any]]]:
    """Return where each printed argparse namespace begins, and its values.

    Lines may be wrapped. A value that is no literal (a device, a class) is left out,
    and so is a namespace that cannot be read.

    Examples:
        >>> find_namespaces("x Namespace(lr=0.1, f=<function>)")
        []
        >>> find_namespaces("Namespace(lr=0.1, norm='l_2', device=device(type='cpu'))")
        [(0, {'lr': 0.1, 'norm': 'l_2'})]
    """
    namespaces = []
    for match in islice(re.finditer(r"Namespace\(", text), _MOST):
        values = _values(text[match.start() : match.start() + _LONGEST])
        if values:
            namespaces.append((match.start(), values))
    return namespaces


def number(values: dict[str, Any], key: str) -> float | None:
    """Return a value that is a number, None if it is none or missing."""
    value = values.get(key)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else None


def _values(text: str) -> dict[str, Any]:
    call = text[: _call_length(text)].replace("\n", "")
    try:
        expression = ast.parse(call, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    values = {}
    for keyword in expression.keywords if isinstance(expression, ast.Call) else []:
        try:
            values[str(keyword.arg)] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue
    return values


def _call_length(text: str) -> int:
    """Return how long the call is that begins a text, 0 where it does not end."""
    depth, quote = 0, ""
    for position, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "()":
            depth += 1 if letter == "(" else -1
            if not depth:
                return position + 1
    return 0
