"""load_samples: a diagnostic's measurements of single examples, as one table."""

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa

from rofit.errors import UserError, unknown
from rofit.store.digests import is_sound
from rofit.store.parquet import read_parquet
from rofit.store.runs import RunFolder, RunStore
from rofit.store.tables import RunFields, concatenate, read_runs, repeat_rows

_FILE = re.compile(r"(?P<diagnostic>.+)-(?P<epoch>\d+)\.parquet")


def load_samples(
    store: str | Path, diagnostic: str, runs: Iterable[str] | None = None
) -> pd.DataFrame:
    """Return a diagnostic's samples, a row an example, epoch and run.

    Args:
        store: folder of the runs, which is only read, or a zip or tar of it.
        diagnostic: its name; ``samples/<diagnostic>-<epoch>.parquet`` are read.
        runs: ids of the runs to read; all that have such samples where None.

    Returns:
        Columns run_id, epoch, method, seed, the other fields of the spec in which these
        runs differ (named and typed as by load_logs), and the diagnostic's own.

    Raises:
        UserError: no such samples in any run, or in one that was named; a column of the
            samples is called as one of the others.

    Warns:
        UserWarning: a file that cannot be read, or a run whose spec cannot be; left
            out.
    """
    loaded = read_runs(store, runs, partial(_tables, diagnostic))
    lacking = [fields["run_id"] for fields, tables in loaded if not tables]
    if len(lacking) == len(loaded) or (lacking and runs is not None):
        raise _no_samples(store, diagnostic, lacking)
    measurements = [
        (fields, *measurement) for fields, tables in loaded for measurement in tables
    ]
    run_fields = [fields | {"epoch": epoch} for fields, epoch, _ in measurements]
    columns = ["run_id", "epoch", "method", "seed", *_differing(run_fields)]
    samples = concatenate([table for *_, table in measurements])
    for name in sorted(set(columns) & set(samples)):
        raise UserError(
            f"the samples of {diagnostic} have a column {name}, which also tells these "
            "runs apart; name runs that agree in it"
        )
    run_columns = repeat_rows(run_fields, [len(table) for *_, table in measurements])
    return pd.concat([run_columns[columns], samples], axis=1)


def _tables(
    diagnostic: str, folder: RunFolder, fields: RunFields, remarks: list[str]
) -> list[tuple[int, pa.Table]]:
    """Return epoch and samples of every measurement of the diagnostic, in order."""
    tables = []
    for epoch, path in sorted(_files(folder).get(diagnostic, {}).items()):
        try:
            if not is_sound(path, folder.path):
                remarks.append(f"{path} is damaged and is left out")
                continue
            tables.append((epoch, read_parquet(path).replace_schema_metadata()))
        except (OSError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            remarks.append(f"{path} cannot be read and is left out ({reason})")
    return tables


def _files(folder: RunFolder) -> dict[str, dict[int, Path]]:
    """Return diagnostic -> epoch -> file."""
    files: dict[str, dict[int, Path]] = {}
    for path in folder.samples.glob("*.parquet"):
        if match := _FILE.fullmatch(path.name):
            files.setdefault(match["diagnostic"], {})[int(match["epoch"])] = path
    return files


def _no_samples(store: str | Path, diagnostic: str, lacking: list[str]) -> UserError:
    folders = [RunStore(Path(store)).folder(run_id) for run_id in lacking]
    known = {name for folder in folders for name in _files(folder)}
    if known and diagnostic not in known:
        return unknown("diagnostic with samples", diagnostic, known)
    where = ", ".join(lacking)
    return UserError(f"no samples of {diagnostic} can be read in {store}: {where}")


def _differing(run_fields: list[RunFields]) -> list[str]:
    """Return the fields of the spec, method and seed apart, in which runs differ."""
    excluded = ("run_id", "family_id", "state", "epoch", "method", "seed")
    names = dict.fromkeys(name for fields in run_fields for name in fields)
    values = {name: {fields.get(name) for fields in run_fields} for name in names}
    return [name for name in names if name not in excluded and len(values[name]) > 1]
