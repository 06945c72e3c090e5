"""Runs whose rows were made up by hand, in the store that analyses are read from."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from rofit.settings.spec import RunSpec
from rofit.store.evaluations import EvaluationFolder
from rofit.store.runs import RunStore
from rofit.store.tables import read_csv


def write_run(root: Path, spec: RunSpec, rows: list[dict[str, Any]]) -> None:
    """Write a finished run of *rows* (epoch, metric, value, ...) to the store."""
    folder = RunStore(root).folder(spec.run_id)
    with folder.opened(spec.as_dict()):
        folder.append(rows)
        folder.finish({})


def write_evaluation(
    root: Path,
    spec: RunSpec,
    checkpoint: str,
    attack: str,
    accuracy: float,
    **about: Any,
) -> None:
    """Write a finished evaluation of a checkpoint, at the run's radius unless told."""
    result = {
        "checkpoint": checkpoint,
        "epoch": 2 if checkpoint == "best" else spec.epochs,
        "network": "ab12",
        "kind": attack.rstrip("0123456789"),
        "attack": attack,
        "norm": spec.norm,
        "epsilon": 0.0 if attack == "none" else spec.epsilon,
        "n": 64,
        "accuracy": accuracy,
        "after": {"clean": 1.0, attack: accuracy},
    } | about
    name = f"{checkpoint}-{attack}-{result['epsilon']:.4f}"
    folder = EvaluationFolder(RunStore(root).folder(spec.run_id), name)
    folder.path.mkdir(parents=True)
    folder.finish(pd.DataFrame({"index": [0]}), result)


def course(values: Iterable[float | None], **about: Any) -> list[dict[str, Any]]:
    """Return a row an epoch, from the first on; None is a value that is not known."""
    return [
        {"epoch": epoch, "value": None if value is None else float(value)} | about
        for epoch, value in enumerate(values, start=1)
    ]


def saved(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table as pictures get it: written as CSV and read again."""
    return read_csv(io.StringIO(table.to_csv(index=False)))
