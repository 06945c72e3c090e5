"""What a spec.json may be: one JSON object of settings, written by rofit or by hand."""

import json
from pathlib import Path
from typing import Any

from rofit.errors import UserError, quoted

_LARGEST = 1 << 20  # bytes; a spec has one or two thousand


def read_object(file: Path) -> dict[str, Any]:
    """Return the JSON object in a spec.json.

    Raises:
        UserError: the file is missing or no regular one, has more than a mebibyte, or
            holds something else than one object without repeated keys.
    """
    try:
        if file.exists() and not file.is_file():
            raise ValueError("no regular file")
        with file.open("rb") as data:
            text = data.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise ValueError(f"a file of more than {_LARGEST:,} bytes")
        stored = json.loads(text.decode(), object_pairs_hook=_each_key_once)
        if not isinstance(stored, dict):
            raise ValueError(f"{quoted(stored)}, which is no object of fields")
    except (OSError, ValueError) as error:
        raise UserError(f"expected a spec.json at {file}, got {error}") from None
    except RecursionError:
        raise UserError(
            f"expected a spec.json at {file}, got lists in lists too deep to be read"
        ) from None
    return stored


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"{quoted(repeated)} more than once")
    return values
