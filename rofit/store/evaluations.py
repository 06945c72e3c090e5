"""Evaluations of a run's checkpoints, kept in its folder.

    runs/<run_id>/evaluations/<checkpoint>-<attack>-<hash>/
        part-1of1.parquet   verdicts image by image, rewritten after every batch
        result.json         attack, network, checkpoint, accuracies; written last
        samples.parquet     the parts as one table
        digests.jsonl       of these
    runs/<run_id>/evaluations/<checkpoint>-checks-<hash>.json

The hash is of all that verdicts depend on: the network's weights, the attack with its
parameters, the number of images, the seed, the precision if it is not fp32. Batch size,
device and shards are not in it.
"""

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from rofit.errors import Remark, UserError
from rofit.store.digests import is_sound, put, read_json, write_json
from rofit.store.files import locked, waiting_for
from rofit.store.parquet import read_parquet
from rofit.store.runs import RunFolder
from rofit.writing import writes_file

_REQUIRED = set(
    "checkpoint epoch network kind attack norm epsilon n accuracy after".split()
)
_PART = re.compile(r"part-(\d+)of(\d+)\.parquet")
_PATIENCE = 300  # seconds that other shards have to write a result
Shard = tuple[int, int]  # the k-th of so many


def share_of(shard: Shard, what: str) -> str:
    """Return what a job is called that does a share of something, or all of it."""
    k, shards = shard
    return f"share {k} of {shards} of {what}" if shards > 1 else what


class EvaluationFolder:
    """The folder of one evaluation."""

    def __init__(self, run: RunFolder, name: str) -> None:
        """Point to the folder; nothing is created yet."""
        self.run, self.path = run, run.path / "evaluations" / name

    @property
    def result(self) -> dict[str, Any] | None:
        """The result, or None if the evaluation is not finished."""
        return _read(self.path / "result.json")

    def make(self) -> None:
        """Make the folder in that of its run, which is there or was removed."""
        self.path.parent.mkdir(exist_ok=True)
        self.path.mkdir(exist_ok=True)

    @contextmanager
    def opened(self, shard: Shard) -> Iterator[None]:
        """Hold one shard for writing.

        Raises:
            UserError: another process holds it, the folder cannot be written, or the
                evaluation was begun with another number of shards.
        """
        lock, store = self.path / f"{_name(shard)}.lock", self.run.path.parent
        busy = (
            f"{self.path.name} of run {self.run.path.name} is being evaluated by "
            "another process; wait for it, or take another --shard"
        )
        with locked(lock, busy, store=store, make=self.make):
            shard_counts = {of for _, of in self._parts()}
            if shard_counts - {shard[1]}:
                raise UserError(
                    f"{self.path.name} was begun in {min(shard_counts)} shard(s), not "
                    f"{shard[1]}; go on so, or move its folder away"
                )
            yield

    def load(self, shard: Shard) -> pd.DataFrame | None:
        """Return a shard's verdicts so far; None before the first or if damaged."""
        try:
            return _read_table(self.path / _name(shard))
        except (OSError, pa.ArrowException):
            return None

    def save(self, table: pd.DataFrame, shard: Shard) -> None:
        """Write the verdicts of a shard, whole or not at all."""
        _write(table, self.path / _name(shard))

    def merged(self, of: int) -> pd.DataFrame | None:
        """Return the verdicts of all *of* shards in the order of the images.

        None while a shard is missing; the caller checks that every shard is complete.
        """
        parts = [self.load((k + 1, of)) for k in range(of)]
        if any(part is None for part in parts):
            return None
        numbered = [
            part.set_axis(range(k, k + of * len(part), of))
            for k, part in enumerate(parts)
            if part is not None and len(part)
        ]
        return pd.concat(numbered).sort_index()

    def finish(self, table: pd.DataFrame, result: dict[str, Any]) -> None:
        """Write verdicts and result, the result last."""
        several = result.get("shards", 1) > 1  # that may end at the same time
        lock = waiting_for(self.path / "result.lock", _PATIENCE)
        with lock if several else nullcontext():
            _write(table, self.path / "samples.parquet")
            write_json(self.path / "result.json", result, self.path)

    def _parts(self) -> set[Shard]:
        matches = (_PART.fullmatch(path.name) for path in self.path.glob("part-*"))
        return {(int(m[1]), int(m[2])) for m in matches if m}


def evaluations(run: RunFolder) -> list[dict[str, Any]]:
    """Return the results of all finished evaluations of a run, by folder name.

    Each has ``name``, ``checkpoint``, ``epoch``, ``network`` (digest), the attack's
    settings (``attack``, ``norm``, ``epsilon``, ``step_size``, ``n``, ``seed`` ...),
    ``accuracy`` (fraction of the n images) and ``after`` (after each attack in turn).
    """
    results = []
    for path in sorted((run.path / "evaluations").glob("*/result.json")):
        result = _read(path)
        if result is not None:
            results.append({"name": path.parent.name} | result)
    return results


def read_verdicts(run: RunFolder, name: str) -> pd.DataFrame:
    """Return the verdicts image by image of a finished evaluation.

    Columns index, class, stages, fooled_by (see `rofit.evaluation.verdicts`).

    Raises:
        UserError: they are not there or cannot be read.
    """
    path = run.path / "evaluations" / name / "samples.parquet"
    try:
        return _read_table(path)
    except (OSError, pa.ArrowException):
        raise UserError(f"{path} is missing or damaged") from None


def rows(run: RunFolder) -> list[dict[str, Any]]:
    """Return the results as rows of the logs, ``measured = evaluation``."""
    log_rows = []
    for result in evaluations(run):
        columns = {
            "epoch": result["epoch"],
            "split": "test",
            "attack": result["attack"],
            "measured": "evaluation",
            "n": float(result["n"]),
            "checkpoint": result["checkpoint"],
            "attack_norm": result["norm"],
            "attack_epsilon": float(result["epsilon"]),
        }
        value = {"metric": "accuracy", "value": float(result["accuracy"])}
        log_rows.append(columns | value)
        after = result["after"] if len(result["after"]) > 2 else {}
        for stage, accuracy in after.items():
            row = {"metric": "accuracy_after", "stage": stage, "value": float(accuracy)}
            log_rows.append(columns | row)
    return log_rows


def _name(shard: Shard) -> str:
    return f"part-{shard[0]}of{shard[1]}.parquet"


@writes_file
def _write(table: pd.DataFrame, path: Path) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with open(temporary, "wb") as file:
        table.to_parquet(file, index=False)
        file.flush()
        os.fsync(file.fileno())
    put(temporary, path, path.parent)


def _read_table(path: Path) -> pd.DataFrame:
    """Return a table of verdicts.

    Raises:
        OSError, pa.ArrowException: it is missing or damaged.
    """
    if not is_sound(path, path.parent):
        raise OSError(f"{path} is damaged")
    return read_parquet(path).to_pandas(use_threads=False)


def _read(path: Path) -> dict[str, Any] | None:
    """Return a result; None where there is none, or with a warning if it is damaged."""
    result = read_json(path, path.parent)
    if result is None or _REQUIRED <= set(result):
        return result
    warnings.warn(f"{path} is damaged and is left out", category=Remark, stacklevel=2)
    return None
