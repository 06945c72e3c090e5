"""What sinks hold, read back by their own readers: rows of name, epoch, value.

W&B has no reader of offline files in Python: its records are put together here block
by block, with their checksums.
"""

import csv
import json
import zlib
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from rofit import load_logs
from rofit.sinks import SINKS

INSTALLED = [name for name, sink in SINKS.items() if all(map(find_spec, sink.NEEDS))]
EVERY_SINK = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            name not in INSTALLED, reason=f"{name} is not installed (rofit[{name}])"
        ),
    )
    for name in SINKS
]
Rows = list[tuple[str, int, float]]


def settings_of(place: Path) -> dict[str, str]:
    """Return the environment in which sinks write under *place*, without a network."""
    return {
        "TRACKIO_DIR": str(place / "trackio"),
        "WANDB_DIR": str(place),
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
    }


def named(sink: str, place: Path) -> str:
    """Return what ``--log-to`` says for a sink under *place*."""
    return {
        "csv": f"csv:{place / 'csv'}",
        "mlflow": f"mlflow:sqlite:///{place / 'mlflow.db'}",
        "tensorboard": f"tensorboard:{place / 'tensorboard'}",
        "trackio": "trackio",
        "wandb": "wandb",
    }[sink]


def expected_rows(folder) -> Rows:
    """Return name, epoch and value of every row of a run, as load_logs has them."""
    logs = load_logs(folder.path.parent, [folder.path.name], evaluations=False)
    lines = (folder.path / "epochs.jsonl").read_text().splitlines()
    rows = []
    for line, value in zip(lines, logs["value"], strict=True):
        row = json.loads(line)
        epoch = row.pop("epoch")
        row = {k: v for k, v in row.items() if k not in ("value", "n", "measured")}
        words = [row.pop(k) for k in ("split", "attack", "metric") if k in row]
        more = [f".{key}-{content}" for key, content in sorted(row.items())]
        rows.append(("/".join(words) + "".join(more), epoch, value))
    return sorted(rows)


def assert_same(sink: str, rows: Rows, expected: Rows) -> None:
    """Assert that names, epochs and values are the same, each as often.

    TensorBoard has single precision.
    """
    kind = np.float32 if sink == "tensorboard" else float
    one, other = sorted(rows, key=lambda row: row[:2]), expected
    assert [row[:2] for row in one] == [row[:2] for row in other]
    values = [np.array([kind(v) for *_, v in rows]) for rows in (one, other)]
    np.testing.assert_array_equal(*values)


def csv_rows(place: Path, run: str) -> Rows:
    """Read all tables."""
    rows = []
    for path in (place / "csv").glob(f"{run}-*.csv"):
        with open(path, newline="") as file:
            rows += [tuple(row.values()) for row in csv.DictReader(file)]
    return [(name, int(epoch), float(value)) for epoch, name, value in rows]


def tensorboard_rows(place: Path, run: str) -> Rows:
    """Read the scalars as TensorBoard's backend does."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    rows = []
    for folder in (place / "tensorboard").glob(f"{run}-*"):
        events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
        for tag in events.Tags()["scalars"]:
            rows += [(tag, e.step, e.value) for e in events.Scalars(tag)]
    return rows


def mlflow_rows(place: Path, run: str) -> Rows:
    """Read the histories of all metrics of all runs."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("rofit")
    rows = []
    for found in client.search_runs([experiment.experiment_id]):
        if found.data.tags["rofit.run"].startswith(run):
            for name in found.data.metrics:
                history = client.get_metric_history(found.info.run_id, name)
                rows += [(name, metric.step, metric.value) for metric in history]
    return rows


def trackio_rows(place: Path, run: str) -> Rows:
    """Read the logs of all runs of the project.

    trackio has one folder a process: another process's is put in its place here.
    """
    from trackio import sqlite_storage
    from trackio.sqlite_storage import SQLiteStorage

    folder = place / "trackio"
    rows = []
    with patch.object(
        sqlite_storage,
        "TRACKIO_DIR",
        folder if folder.exists() else sqlite_storage.TRACKIO_DIR,
    ):
        for record in SQLiteStorage.get_run_records("rofit"):
            if record["name"].startswith(run):
                for entry in SQLiteStorage.get_logs("rofit", run_id=record["id"]):
                    step = entry.pop("step")
                    del entry["timestamp"]
                    rows += [(name, step, value) for name, value in entry.items()]
    return rows


def wandb_rows(place: Path, run: str) -> Rows:
    """Read the histories in the files of all parts of the run."""
    from wandb.proto.wandb_internal_pb2 import Record

    rows = []
    for path in (place / "wandb").glob(f"offline-run-*-{run}-*/*.wandb"):
        for data in _records(path.read_bytes()):
            record = Record.FromString(data)
            if record.HasField("history"):
                items = {
                    item.key or ".".join(item.nested_key): json.loads(item.value_json)
                    for item in record.history.item
                }
                step = record.history.step.num
                rows += [(k, step, v) for k, v in items.items() if k[0] != "_"]
    return rows


READERS = {
    "csv": csv_rows,
    "mlflow": mlflow_rows,
    "tensorboard": tensorboard_rows,
    "trackio": trackio_rows,
    "wandb": wandb_rows,
}


def _records(data: bytes) -> list[bytes]:
    """Return the records of a file, up to the first piece that is not whole."""
    pieces = []
    for start in range(0, len(data), 32768):
        block = data[start : start + 32768]
        at = 0 if start else 7
        while at + 7 <= len(block):
            checksum = int.from_bytes(block[at : at + 4], "little")
            length = int.from_bytes(block[at + 4 : at + 6], "little")
            kind, piece = block[at + 6], block[at + 7 : at + 7 + length]
            if len(piece) < length or zlib.crc32(bytes([kind]) + piece) != checksum:
                break
            pieces.append((kind, piece))
            at += 7 + length
    records, begun = [], b""
    for kind, piece in pieces:
        begun = piece if kind in (1, 2) else begun + piece
        if kind in (1, 4):
            records.append(begun)
    return records
