"""Runs of others beside an analysis's own: drawn with their source's name, not judged.

An analysis takes them that has ``BESIDE = True``; its claims stay of its own runs.
"""

import warnings
from collections.abc import Iterable

import pandas as pd

from rofit.errors import Remark, UserError
from rofit.measures.best_last import EACH_EPOCH
from rofit.measures.metrics import curve
from rofit.reproduction import catalog
from rofit.reproduction.plan import Request
from rofit.store.rows import load_logs
from rofit.store.runs import RunFolder, RunStore

_NO_METRICS = {"n", "n_test", "seed", "epochs", "published", "val_robust"}
SOURCE = "source"  # the column of a saved table that has such runs; NaN for our own


def check_beside(request: Request) -> None:
    """Raise UserError if runs are to stand beside an analysis that takes none."""
    if request.beside and not takes_others(request.name):
        able = [name for name in catalog.analysis_names() if takes_others(name)]
        raise UserError(
            f"{request.name} takes no runs beside its own; those that do: "
            f"{', '.join(able)}"
        )


def takes_others(name: str) -> bool:
    """Return whether an analysis draws runs of others beside its own."""
    return bool(getattr(catalog.load_analysis(name), "BESIDE", False))


def other_rows(
    request: Request, table: pd.DataFrame, store: RunStore
) -> pd.DataFrame | None:
    """Return what an analysis makes of the request's other runs, None if of none.

    Their ``method`` is what the picture calls them, and ``source`` says where they are
    from.

    Args:
        request: the analysis, and the ids of the runs.
        table: what it makes of its own runs.
        store: where they are.

    Warns:
        Remark: a run, or a column of it, that the analysis needs and its log lacks.
    """
    tables: list[pd.DataFrame] = []
    for folder in map(store.folder, request.beside):
        rows = _rows(request.name, folder)
        if not len(rows):
            _warn(folder, f"lacks what {request.name} needs and is left out")
            continue
        lacking = [c for c in rows if rows[c].isna().all() and table[c].notna().any()]
        if metrics := sorted(set(lacking) - _NO_METRICS):
            _warn(folder, f"has no {', '.join(metrics)}, which stays of our runs alone")
        tables.append(rows)
    for rows, name in zip(tables, _names(tables), strict=True):
        rows["method"] = name
    return _stacked(tables) if tables else None


def under(table: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the rows of other runs under its own."""
    return _stacked([table, others]).reindex(columns=[*table.columns, SOURCE])


def own(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a saved table that are of the analysis's own runs."""
    return table[table[SOURCE].isna()] if SOURCE in table else table


def _rows(name: str, folder: RunFolder) -> pd.DataFrame:
    """Return what the analysis makes of a run; empty without test accuracies."""
    logs = load_logs(folder.path.parent, [folder.path.name], evaluations=False)
    if curve(logs, split="test").empty:
        return pd.DataFrame()
    table: pd.DataFrame = catalog.load_analysis(name).table(logs)
    if "checkpoint" in table:
        table = _by_attack(table, logs)
    if "drop_follows" in table:
        table["drop_follows"] = False  # dotted lines are at the drops of our runs
    return table.assign(source=_title(folder))


def _title(folder: RunFolder) -> str:
    """Return what pictures call a run: its source and, where it is known, its data."""
    source, dataset = folder.source, folder.spec.dataset
    if source is None:
        return folder.path.name
    known = "dataset" not in source.unknown and dataset not in source.title
    return f"{source.title}, {dataset}" if known else source.title


def _by_attack(table: pd.DataFrame, logs: pd.DataFrame) -> pd.DataFrame:
    """Return best and last by the name of their attack, and clean beside it."""
    tested = logs[(logs["split"] == "test") & (logs["metric"] == "accuracy")]
    attack = next(a for a in tested["attack"].unique() if a != "none")
    rows = table[table["attack"] == EACH_EPOCH].assign(attack=attack, published=None)
    clean = curve(logs, split="test", robust=False)
    if clean.empty:
        return rows
    accuracies = rows["epoch"].map(clean.iloc[:, 0])
    return pd.concat([rows, rows.assign(attack="none", accuracy=accuracies)])


def _stacked(tables: list[pd.DataFrame]) -> pd.DataFrame:
    whole = [t.dropna(axis="columns", how="all") for t in tables]  # or pandas 2 warns
    return pd.concat(whole, ignore_index=True)


def _names(tables: Iterable[pd.DataFrame]) -> list[str]:
    """Return each run's name in the picture: its source, numbered if it is shared."""
    names: list[str] = []
    for table in tables:
        title = str(table[SOURCE].iloc[0])
        same = sum(name == title or name.startswith(f"{title} (") for name in names)
        names.append(f"{title} ({same + 1})" if same else title)
    return names


def _warn(folder: RunFolder, what: str) -> None:
    warnings.warn(f"{folder.path.name} {what}", category=Remark, stacklevel=3)
