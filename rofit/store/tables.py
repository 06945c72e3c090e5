"""Shared by both readers: the runs of a store, and joining their tables into one."""

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TextIO, TypeVar

import pandas as pd
import pyarrow as pa

from rofit.errors import Remark, UserError
from rofit.store.archive import opened
from rofit.store.columns import TEXT, encoded
from rofit.store.runs import RunFolder, RunStore
from rofit.store.stored_spec import read_spec

T = TypeVar("T")
RunFields = dict[str, Any]  # run_id, family_id, state, source, every field of the spec

# pandas before 3.1 loses the last digit without this argument; later ones warn of it.
_EXACT_FLOATS: dict[str, Any] = (
    {}
    if tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1)
    else {"float_precision": "round_trip"}
)


def read_csv(source: Path | TextIO) -> pd.DataFrame:
    """Return a table saved as CSV, with the floats that were written, to the bit."""
    return pd.read_csv(source, **_EXACT_FLOATS)


def read_runs(
    store: str | Path,
    run_ids: Iterable[str] | None,
    reader: Callable[[RunFolder, RunFields, list[str]], T],
) -> list[tuple[RunFields, T]]:
    """Return each run's fields and what *reader* returns for it.

    Args:
        store: folder of the runs, or an archive of it.
        run_ids: the runs to read; all where None.
        reader: called with a run's folder, its fields, and a list to which it adds a
            sentence for everything that it leaves out: a warning each.

    Raises:
        UserError: no run is there, or one that was named is not or cannot be read.
    """
    remarks: list[str] = []
    with opened(store) as root:
        runs = RunStore(root)
        folders = runs.runs() if run_ids is None else [runs.folder(i) for i in run_ids]
        if not folders:
            raise UserError(
                f"no runs in {store}; train one or name another store"
                if run_ids is None
                else "an empty list of run ids was given; leave it out to read all runs"
            )
        read = _read(folders, reader, remarks, left_out=run_ids is None)
    for remark in remarks:
        warnings.warn(remark, category=Remark, stacklevel=3)
    if not read:
        raise UserError(f"no run in {store} can be read")
    return read


def _read(
    folders: list[RunFolder],
    reader: Callable[[RunFolder, RunFields, list[str]], T],
    remarks: list[str],
    *,
    left_out: bool,
) -> list[tuple[RunFields, T]]:
    """Return the runs' fields and what *reader* returns; leave out what is damaged.

    Raises:
        UserError: a run cannot be read, unless such are *left_out*, with a remark.
    """
    read: list[tuple[RunFields, T]] = []
    for folder in folders:
        try:
            fields = _run_fields(folder)
            read.append((fields, reader(folder, fields, remarks)))
        except UserError as error:
            if not left_out:
                raise
            remarks.append(f"{folder.path} is left out: {error}")
    return read


def repeat_rows(run_fields: list[RunFields], counts: list[int]) -> pd.DataFrame:
    """Return typed columns in which the n-th mapping fills counts[n] rows."""
    repeats = [(fields, n) for fields, n in zip(run_fields, counts, strict=True) if n]
    repeats = repeats or [(run_fields[0], 0)]
    table = pd.DataFrame([fields for fields, _ in repeats])
    table = pd.DataFrame({name: _typed(column) for name, column in table.items()})
    repeated = table.index.repeat([n for _, n in repeats])
    return table.take(repeated).reset_index(drop=True)


def concatenate(tables: list[pa.Table]) -> pd.DataFrame:
    """Return one table under the other, with gaps where one lacks a column.

    Texts become categories; numbers become texts where another table has texts.
    """
    fields = [field for table in tables for field in table.schema]
    kinds = (pa.string(), pa.large_string(), TEXT)  # pandas 3 writes the large ones
    texts = {field.name for field in fields if field.type in kinds}
    uniform = [encoded(table, texts) for table in tables]
    combined = pa.concat_tables(uniform, promote_options="permissive")
    frame = combined.unify_dictionaries().to_pandas(use_threads=False)
    for name in texts:
        order = sorted(frame[name].cat.categories)
        frame[name] = frame[name].cat.reorder_categories(order)
    return frame


def _run_fields(folder: RunFolder) -> RunFields:
    spec, family_id, source = read_spec(folder.path / "spec.json")
    fields: RunFields = {"run_id": folder.path.name, "family_id": family_id}
    fields["state"] = folder.state
    fields["source"] = source.title if source else None
    unknown = source.unknown if source else ()
    for key, value in spec.as_dict().items():
        if key in unknown:
            fields[key] = None
        elif key == "method_params":
            fields |= {f"method_params.{name}": v for name, v in value.items()}
        else:
            fields[key] = value
    return {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}


def _typed(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return texts as a category, integers as int32, flags with gaps as boolean."""
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind == "integer" and column.abs().max() < 2**31:
        return column.astype("int32")
    if kind == "boolean" and column.hasnans:
        return column.astype("boolean")
    return column.astype("category") if kind == "string" else column
