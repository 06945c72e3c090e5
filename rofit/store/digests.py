"""Digests of the files that numbers come from, kept beside them in ``digests.jsonl``.

A line a write: ``{"file": NAME, "sha256": ...}``, names relative to the folder. It is
written before the file is put in place, so that a kill between the two leaves the file
of the line before; therefore the last two lines of a file count. What has no line is of
an older version, and is believed.
"""

import hashlib
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rofit.errors import Remark
from rofit.store.files import append_text, flushed, json_lines
from rofit.writing import replace, writing

LEDGER = "digests.jsonl"


def put(temporary: Path, path: Path, root: Path) -> None:
    """Move a written file to *path*, with a line in the ledger of *root*.

    Raises:
        NotWritten: the disk does not take it.
    """
    with writing(path):
        name, digest = path.relative_to(root).as_posix(), sha256(temporary.read_bytes())
        add(root, {"file": name, "sha256": digest})
        replace(temporary, path)


def write_text(path: Path, text: str, root: Path) -> None:
    """Write a text, whole, with a line in the ledger of *root*."""
    temporary = path.with_name(path.name + ".tmp")
    flushed(temporary, text.encode())
    put(temporary, path, root)


def write_json(path: Path, content: dict[str, Any], root: Path) -> None:
    """Write an object as JSON, whole, with a line in the ledger of *root*."""
    write_text(path, json.dumps(content, indent=1) + "\n", root)


def read_json(path: Path, root: Path) -> dict[str, Any] | None:
    """Return what `write_json` wrote; None without a file.

    Warns:
        UserWarning: it is damaged; None.
    """
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_bytes())
        if isinstance(content, dict) and is_sound(path, root):
            return content
    except (OSError, ValueError):
        pass
    warnings.warn(f"{path} is damaged and is left out", category=Remark, stacklevel=3)
    return None


def is_sound(path: Path, root: Path) -> bool:
    """Return whether a file is one of the last two written, or has no digest."""
    name = path.relative_to(root).as_posix()
    digests = [line["sha256"] for line in lines(root, name) if "sha256" in line]
    return not digests or sha256(path.read_bytes()) in digests[-2:]


def sha256(data: bytes) -> str:
    """Return the digest of bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def add(root: Path, *lines: dict[str, Any]) -> None:
    """Add lines to the ledger, flushed to the disk."""
    append_text(root / LEDGER, "".join(json.dumps(line) + "\n" for line in lines))


def names(root: Path) -> list[str]:
    """Return the files that the ledger of *root* knows, in order."""
    files = (line.get("file") for line in json_lines(root / LEDGER)[0])
    return list(dict.fromkeys(name for name in files if isinstance(name, str)))


def lines(root: Path, name: str) -> Iterator[dict[str, Any]]:
    """Yield the ledger's lines of a file, in order; damaged ones are left out."""
    # Most are seals of epochs: what does not hold the name need not be parsed.
    for line in json_lines(root / LEDGER, holding=json.dumps(name))[0]:
        if line.get("file") == name and isinstance(line.get("sha256", ""), str):
            yield line
