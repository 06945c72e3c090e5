"""A run's log, epochs.jsonl: rows are added an epoch at a time, and sealed.

The seal of an epoch, a line of the ledger (`rofit.store.digests`), says how many rows
it has, in how many bytes, and their digest. It follows the rows: what a kill leaves
without one is of an epoch that the checkpoint does not know yet, and is made again. A
line with ``to`` voids the seals of later epochs. Logs of older versions have no seals:
of those only a hole between epochs can be noticed.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rofit.store.digests import add, lines, sha256
from rofit.store.files import append_text, write_text

LOG = "epochs.jsonl"


def append_epoch(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Add the rows of one epoch, or of several in order, and the seal of each."""
    texts: dict[int, str] = {}
    for row in rows:
        texts[row["epoch"]] = texts.get(row["epoch"], "") + json.dumps(row) + "\n"
    append_text(folder / LOG, "".join(texts.values()))
    add(folder, *(_seal(epoch, text.encode()) for epoch, text in texts.items()))


def keep_epochs_to(folder: Path, epoch: int) -> None:
    """Drop the rows of later epochs, and lines that are no rows.

    Epochs without a seal, of an older version, get one of what they are now.
    """
    add(folder, {"file": LOG, "to": epoch})
    data = (folder / LOG).read_bytes() if (folder / LOG).exists() else b""
    kept: dict[int, list[bytes]] = {}
    for number, line in _numbered(data):
        if number is not None and number <= epoch:
            kept.setdefault(number, []).append(line)
    if not kept:
        (folder / LOG).unlink(missing_ok=True)
        return
    rows = {number: b"".join(lines) for number, lines in kept.items()}
    write_text(folder / LOG, b"".join(rows.values()).decode())
    sealed = seals(folder)
    for number, data in rows.items():
        if number not in sealed:
            add(folder, _seal(number, data))


def seals(folder: Path) -> dict[int, dict[str, Any]]:
    """Return epoch -> seal, in the order in which they were written."""
    sealed: dict[int, dict[str, Any]] = {}
    for line in lines(folder, LOG):
        if "to" in line:
            sealed = {e: seal for e, seal in sealed.items() if e <= line["to"]}
        elif {"epoch", "bytes", "sha256"} <= set(line):
            sealed.pop(line["epoch"], None)
            sealed[line["epoch"]] = line
    return sealed


def altered(data: bytes, sealed: dict[int, dict[str, Any]], *, done: bool) -> set[int]:
    """Return the epochs whose rows in the log *data* are not those that were sealed.

    Epochs without a row are not among them; those of a *done* run without a seal are,
    unless none has one: such a log is of an older version.
    """
    if not sealed:
        return set()
    if data and not data.endswith(b"\n"):
        data += b"\n"
    position = 0
    for seal in sealed.values():
        end = position + seal["bytes"]
        if sha256(data[position:end]) != seal["sha256"]:
            break
        position = end
    else:
        if position == len(data):
            return set()
    by_epoch: dict[int, list[bytes]] = {}
    for epoch, line in _numbered(data):
        if epoch is not None and (done or epoch in sealed):
            by_epoch.setdefault(epoch, []).append(line)
    return {
        epoch
        for epoch, rows in by_epoch.items()
        if sha256(b"".join(rows)) != sealed.get(epoch, {}).get("sha256")
    }


def missing(present: Iterable[int], sealed: Iterable[int], ended: int) -> list[int]:
    """Return the epochs that a log should have and has not, in order.

    Args:
        present: epochs with rows.
        sealed: epochs with a seal; none in logs of older versions, where all before the
            last should be there.
        ended: epochs of the run, if it is done; 0 otherwise.
    """
    present, expected = set(present), set(sealed)
    last = ended if expected else max(ended, *present, 0)
    return sorted((expected | set(range(1, last + 1))) - present)


def lost(folder: Path, to: int) -> list[int]:
    """Return the epochs from 1 to *to* whose rows are missing or altered, in order."""
    path = folder / LOG
    data = path.read_bytes().replace(b"\r\n", b"\n") if path.exists() else b""
    kept = {epoch for epoch, _ in _numbered(data)}
    kept -= altered(data, seals(folder), done=False)
    return [epoch for epoch in range(1, to + 1) if epoch not in kept]


def named(epochs: Iterable[int]) -> str:
    """Return ``epoch 3`` or ``epochs 3, 4 and 7``; of more than six the first five."""
    numbers = [str(epoch) for epoch in sorted(epochs)]
    if len(numbers) == 1:
        return f"epoch {numbers[0]}"
    if len(numbers) > 6:
        numbers = [*numbers[:5], f"{len(numbers) - 5} more"]
    return f"epochs {', '.join(numbers[:-1])} and {numbers[-1]}"


def _seal(epoch: int, data: bytes) -> dict[str, Any]:
    rows = data.count(b"\n")
    seal = {"file": LOG, "epoch": epoch, "rows": rows, "bytes": len(data)}
    return seal | {"sha256": sha256(data)}


def _numbered(data: bytes) -> list[tuple[int | None, bytes]]:
    """Return the lines of a log, each with its epoch, None where it is no row."""
    numbered = []
    for line in data.splitlines(keepends=True):
        try:
            epoch = json.loads(line)["epoch"]
        except (ValueError, LookupError, TypeError):
            epoch = None
        known = isinstance(epoch, int) and not isinstance(epoch, bool)
        numbered.append((epoch if known else None, line))
    return numbered
