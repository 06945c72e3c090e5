"""load_logs: the one reader of the store, and the door for notebooks. No torch."""

import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import json as arrow_json

from rofit.errors import UserError
from rofit.store import RunFolder, RunStore, read_spec

# What a row may say; a row that does not say it has None or NaN there.
ROW_COLUMNS = {
    "epoch": "int64",  # whole epochs done: the first row of a run says 1
    "split": "category",  # train, val, test
    "attack": "category",  # none, pgd20, ...; NaN where none applies
    "metric": "category",  # accuracy (fraction), loss (nats), gradient_norm, ...
    "measured": "category",  # step (on the fly, train mode) or epoch_end (eval mode)
    "n": "float64",  # images measured
    "value": "float64",
}


def load_logs(
    store: str | Path = "runs", run_ids: Iterable[str] | None = None
) -> pd.DataFrame:
    """Return all rows of the store as one tidy table, a row a number.

    Args:
        store: folder of the runs.
        run_ids: the runs to read; all where None.

    Returns:
        Columns run_id, family_id, state, the columns of ROW_COLUMNS, and every field of
        the run's spec (method parameters as ``method_params.<name>``).

    Raises:
        UserError: the store or a named run is not there, or a spec cannot be read.

    Warns:
        UserWarning: a line that cannot be read, with file and line number; left out.
    """
    runs = RunStore(Path(store))
    if run_ids is None:
        folders = runs.runs()
        if not folders:
            raise UserError(f"no runs in {store}; train one or name another store")
    else:
        folders = [runs.folder(run_id) for run_id in run_ids]
        if not folders:
            raise UserError("load_logs was given no run ids; leave them out for all")
    tables = [_load_run(folder) for folder in folders]
    logs = pd.concat([t for t in tables if len(t)] or tables[:1], ignore_index=True)
    texts = [name for name in logs if pd.api.types.is_string_dtype(logs[name].dtype)]
    texts += [name for name, kind in ROW_COLUMNS.items() if kind == "category"]
    return logs.astype({name: "category" for name in texts})


def _load_run(folder: RunFolder) -> pd.DataFrame:
    spec, family_id = read_spec(folder.path / "spec.json")
    rows = _rows(folder.path / "epochs.jsonl").reindex(columns=list(ROW_COLUMNS))
    rows = rows.astype({k: v for k, v in ROW_COLUMNS.items() if v != "category"})
    told: dict[str, Any] = {
        "run_id": folder.path.name,
        "family_id": family_id,
        "state": folder.state,
    }
    for key, value in spec.as_dict().items():
        if key == "method_params":
            told |= {f"method_params.{name}": v for name, v in value.items()}
        else:
            told[key] = tuple(value) if isinstance(value, list) else value
    for key, value in told.items():
        rows[key] = [value] * len(rows) if isinstance(value, tuple) else value
    return rows


def _rows(path: Path) -> pd.DataFrame:
    if not path.exists():
        return pd.DataFrame({"epoch": pd.Series(dtype="int64")})
    try:
        return arrow_json.read_json(path).to_pandas()
    except pa.ArrowInvalid:
        return pd.DataFrame(_readable(path))


def _readable(path: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            warnings.warn(
                f"{path}, line {number} cannot be read and is left out", stacklevel=4
            )
    return rows
