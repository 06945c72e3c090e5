"""What a sink is given, and what it gives back: the interface of all sinks.

A sink is a file of this folder with `NEEDS`, the packages that it imports when it is
opened, and with ::

    opened(run: RunInfo, where: str) -> AbstractContextManager[Curve]

which opens the curve of a run, a new one or that of the same run from before; *where*
is what stands after the colon of ``--log-to NAME:WHERE``. What it raises is a warning.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from rofit.store.log import LOG
from rofit.store.runs import RunFolder, read_events
from rofit.store.stored_spec import read_spec

# The first part of a name, and keys of a row that are part of none. A split is seen
# under an attack at the steps or at the end of an epoch, not at both.
_FIRST, _NO_PART = ("split", "attack", "metric"), ("epoch", "value", "n", "measured")


@dataclass(frozen=True)
class RunInfo:
    """A run as sinks call it.

    Attributes:
        run_id: its id, which a run that is trained anew has too.
        name: the id and the time at which the run was begun, which only it has.
        store: folder of the store.
        epochs: epochs of the whole run.
        settings: every setting, method parameters as ``method_params.NAME``.
    """

    run_id: str
    name: str
    store: Path
    epochs: int
    settings: dict[str, Any]


@dataclass(frozen=True)
class Curve:
    """The curve of one run in a sink.

    Attributes:
        last: from a metric's name to the last epoch that the sink has of it, 0 if none.
        write: adds the values of an epoch by their names, epochs in ascending order;
            they are safe from a kill when it returns, or `last` tells of their loss.
    """

    last: Callable[[str], int]
    write: Callable[[int, Mapping[str, float]], None]


def run_info(folder: RunFolder) -> RunInfo:
    """Return what sinks learn of a run.

    Raises:
        UserError: spec.json is missing or not readable.
    """
    path = folder.path / "spec.json"
    spec, raw = read_spec(path).spec, json.loads(path.read_text())
    parameters = raw.pop("method_params", None) or {}
    settings = raw | {f"method_params.{key}": v for key, v in parameters.items()}
    starts = (e["at"] for e in read_events(folder.path) if e["event"] == "start")
    begun = "".join(c for c in str(next(starts, "")) if c.isalnum())
    run_id = folder.path.name
    name = f"{run_id}-{begun}" if begun else run_id
    return RunInfo(run_id, name, folder.path.parent, spec.epochs, settings)


def metric_name(row: Mapping[str, Any]) -> str:
    """Return ``split/attack/metric``, and what else a number is known by.

    Examples:
        >>> row = {"epoch": 3, "split": "test", "attack": "pgd20", "n": 64}
        >>> metric_name(row | {"metric": "accuracy", "measured": "epoch_end"})
        'test/pgd20/accuracy'
        >>> metric_name({"split": "train", "metric": "weight_norm"})
        'train/weight_norm'
        >>> metric_name(row | {"metric": "share", "portion": "noisy", "bin": 2})
        'test/pgd20/share.bin-2.portion-noisy'
    """
    name = "/".join(row[key] for key in _FIRST if row.get(key))
    more = sorted(
        key for key in row.keys() - {*_FIRST, *_NO_PART} if row[key] is not None
    )
    return name + "".join(f".{key}-{row[key]}" for key in more)


class Log:
    """A run's epochs.jsonl, read on from where it was left."""

    def __init__(self, folder: RunFolder) -> None:
        """Begin before its first row."""
        self._path = folder.path / LOG
        self._offset = 0

    def epochs_to(self, epoch: int) -> Iterator[tuple[int, dict[str, float]]]:
        """Yield the epochs up to *epoch* that were not yet read, with their values.

        Raises:
            ValueError: two rows of an epoch have one name.
        """
        if not self._path.exists():
            return
        for number, rows in groupby(self._rows_to(epoch), lambda row: row["epoch"]):
            values: dict[str, float] = {}
            for row in rows:
                name, value = metric_name(row), row["value"]
                if name in values:
                    raise ValueError(f"epoch {number} has two rows that are {name}")
                values[name] = math.nan if value is None else float(value)
            yield number, values

    def _rows_to(self, epoch: int) -> Iterator[dict[str, Any]]:
        with open(self._path, "rb") as file:
            file.seek(self._offset)
            for line in file:
                row = json.loads(line) if line.endswith(b"\n") else None
                if row is None or row["epoch"] > epoch:
                    return
                self._offset += len(line)
                yield row


def write_new(curve: Curve, log: Log, epoch: int, sent: dict[str, int]) -> int:
    """Write what the log has up to *epoch* and the curve has not; return how much.

    *sent* is kept between calls: the last epoch of each name.
    """
    written = 0
    for number, values in log.epochs_to(epoch):
        for name in values.keys() - sent.keys():
            sent[name] = curve.last(name)
        new = {name: v for name, v in values.items() if sent[name] < number}
        if new:
            curve.write(number, new)
            sent.update(dict.fromkeys(new, number))
            written += len(new)
    return written
