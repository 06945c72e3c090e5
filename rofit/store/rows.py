"""load_logs: the numbers of runs as one tidy table, a row a number."""

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import compute
from pyarrow import json as arrow_json

from rofit.errors import UserError
from rofit.store import log
from rofit.store.columns import COLUMNS_FILE, load_columns, save_columns
from rofit.store.digests import sha256
from rofit.store.evaluations import rows as evaluation_rows
from rofit.store.runs import RunFolder
from rofit.store.tables import RunFields, concatenate, read_runs, repeat_rows

# Columns of every row; a row without a value has None or NaN there.
ROW_COLUMNS = {
    "epoch": "int32",  # whole epochs done: the first row of a run says 1
    "split": "category",  # train, val, test
    "attack": "category",  # none, pgd20, ...; NaN where none applies
    "metric": "category",  # accuracy (fraction), loss (nats), gradient_norm, ...
    "measured": "category",  # step (on the fly, train mode) or epoch_end (eval mode)
    "n": "float64",  # images measured
    "value": "float64",
}

_ARROW = {"int32": pa.int32(), "float64": pa.float64(), "category": pa.string()}
_SCHEMA = pa.schema([(name, _ARROW[kind]) for name, kind in ROW_COLUMNS.items()])
_PARSE = arrow_json.ParseOptions(explicit_schema=_SCHEMA)


def load_logs(
    store: str | Path = "runs",
    run_ids: Iterable[str] | None = None,
    *,
    evaluations: bool = True,
) -> pd.DataFrame:
    """Return all rows of the store as one tidy table, a row a number.

    Args:
        store: folder of the runs, which is only read, or a zip or tar of it.
        run_ids: the runs to read; all where None.
        evaluations: whether to read the finished evaluations of checkpoints as well:
            rows with ``measured = evaluation`` and columns ``checkpoint``,
            ``attack_norm`` and ``attack_epsilon``.

    Returns:
        Columns run_id, those of ROW_COLUMNS, what else identifies a number in some row
        (``labels``, ``portion``, ...; NaN in the others), family_id, state, source (of
        a run that rofit did not train), and every field of the run's spec (method
        parameters as ``method_params.<name>``; NaN where the source does not say it).
        Texts are categories in alphabetical order, numbers int32 or float64, lists
        tuples.

    Raises:
        UserError: no run is there, or one that was named is not or cannot be read.

    Warns:
        UserWarning: a line that cannot be read, with file and line number, or a run
            whose spec or log cannot be; left out.
    """
    loaded = read_runs(store, run_ids, partial(_rows, evaluations=evaluations))
    counts = [sum(map(len, tables)) for _, tables in loaded]
    runs = repeat_rows([fields for fields, _ in loaded], counts)
    rows = concatenate([table for _, tables in loaded for table in tables])
    return pd.concat([runs[["run_id"]], rows, runs.drop(columns="run_id")], axis=1)


def require_log(folder: RunFolder, to: int) -> None:
    """Raise UserError unless the rows of the epochs up to *to* are as written.

    In the log, or in its copy in columns.

    Raises:
        UserError: they are not.
    """
    lost = log.lost(folder.path, to)
    if lost and load_columns(folder.path) is None:
        raise UserError(
            f"{folder.path / log.LOG} has lost the rows of {log.named(lost)}, and a "
            "run goes on from its last checkpoint only: move its folder away to train "
            "it anew (rofit doctor checks a store)"
        )


def keep_columns(folder: RunFolder) -> None:
    """Keep a done run's rows in columns as well, unless some line cannot be read."""
    remarks: list[str] = []
    tables = _rows(folder, {}, remarks)
    if len(tables) == 1 and not remarks:
        save_columns(folder.path, tables[0])


def _rows(
    folder: RunFolder,
    fields: RunFields,
    remarks: list[str],
    *,
    evaluations: bool = False,
) -> list[pa.Table]:
    """Return a run's rows, in tables that may differ in keys beyond ROW_COLUMNS."""
    path = folder.path / log.LOG
    try:
        data = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None
    tables = _logged_rows(folder, data, remarks)
    evaluated = evaluation_rows(folder) if evaluations else []
    if evaluated:
        text = "".join(json.dumps(row) + "\n" for row in evaluated).encode()
        tables = [*tables, *_whole_rows(text, 1, [])]
    for name in sorted(
        {n for table in tables for n in table.column_names} & set(fields)
    ):
        raise UserError(f"{path} has a key {name!r}, which is a field of the run")
    return tables


def _logged_rows(folder: RunFolder, data: bytes, remarks: list[str]) -> list[pa.Table]:
    """Return the rows of the log that are as they were written; say what is not."""
    copy = load_columns(folder.path)
    if copy and copy[1] == sha256(data):
        return [copy[0]]
    path, torn = folder.path / log.LOG, list[int]()
    sealed, done = log.seals(folder.path), folder.state == "done"
    lines = data.replace(b"\r\n", b"\n")  # of another system
    tables = _whole_rows(lines, 1, torn)
    altered = log.altered(lines, sealed, done=done)
    present = {e for t in tables for e in t["epoch"].unique().to_pylist()}
    lacking = log.missing(present, sealed, _epochs(folder) if done else 0)
    if copy and (altered or lacking):
        remarks.append(f"{path} is damaged; {COLUMNS_FILE} beside it has all rows")
        return [copy[0]]
    remarks += [f"{path}, line {n} cannot be read and is left out" for n in torn]
    if lacking:
        remarks.append(f"{path} lacks {log.named(lacking)}")
    if altered:
        remarks.append(
            f"{path}: the rows of {log.named(altered)} are not those that were written "
            "and are left out"
        )
        bad = pa.array(sorted(altered), pa.int32())
        kept = [compute.invert(compute.is_in(t["epoch"], bad)) for t in tables]
        tables = [t.filter(rows) for t, rows in zip(tables, kept, strict=True)]
    return tables


def _epochs(folder: RunFolder) -> int:
    """Return the epochs of a done run, as far as its folder says."""
    epochs = (folder.read_json("done.json") or {}).get("epochs", 0)
    return epochs if isinstance(epochs, int) else 0


def _whole_rows(data: bytes, first: int, torn: list[int]) -> list[pa.Table]:
    """Return the rows of all lines that can be read; add the others' numbers to torn.

    What cannot be read at once is read in halves, down to single lines.
    """
    table = _table(data.strip())
    if table is not None:
        return [table]
    lines = data.splitlines(keepends=True)
    if len(lines) == 1:
        torn.append(first)
        return []
    half = len(lines) // 2
    return [
        *_whole_rows(b"".join(lines[:half]), first, torn),
        *_whole_rows(b"".join(lines[half:]), first + half, torn),
    ]


def _table(data: bytes) -> pa.Table | None:
    """Return rows: ROW_COLUMNS, then other keys, numbers as float64; None if torn."""
    if not data:
        return _SCHEMA.empty_table()
    # Every line from brace to brace: a bare null crashes arrow.
    braced = data.startswith(b"{") and data.endswith(b"}") and b"\r" not in data
    if not braced or data.count(b"}\n{") < data.count(b"\n"):
        return None
    reading = arrow_json.ReadOptions(use_threads=False, block_size=len(data))
    try:
        data.decode()  # arrow would take any bytes for text
        table = arrow_json.read_json(pa.BufferReader(data), reading, _PARSE)
    except (UnicodeDecodeError, pa.ArrowInvalid):
        return None
    if table["epoch"].null_count or table["metric"].null_count:
        return None
    kinds = {field.name: field.type for field in table.schema}
    for name in set(kinds) - set(ROW_COLUMNS):
        if pa.types.is_integer(kinds[name]):
            kinds[name] = pa.float64()
        elif pa.types.is_null(kinds[name]):
            table = table.drop_columns(name)
            del kinds[name]
        elif kinds[name] not in (pa.float64(), pa.string()):
            return None
    return table.cast(pa.schema(kinds))
