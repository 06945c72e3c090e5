"""What `rofit compare` shows: specs side by side, best / last / gap, curves."""

import hashlib
import math
from pathlib import Path
from typing import Any

import click
import pandas as pd

from rofit.commands.answers import answer, say
from rofit.commands.completion import complete_runs
from rofit.commands.flags import with_flags
from rofit.commands.session import Session
from rofit.errors import UserError
from rofit.measures.metrics import best_last_gap, curve
from rofit.reproduction import catalog
from rofit.reproduction.publish import make_folder
from rofit.store.files import write_text
from rofit.store.rows import load_logs
from rofit.store.runs import RunFolder
from rofit.writing import writing

Rows = list[dict[str, Any]]


@click.command()
@click.argument(
    "texts",
    metavar="RUN RUN...",
    nargs=-1,
    required=True,
    shell_complete=complete_runs,
)
@with_flags("store", "out", "as_json", "debug")
def compare(session: Session, texts: tuple[str, ...]) -> None:
    """Compare runs: what differs in their specs, best / last / gap, curves."""
    folders = [session.store.find(text) for text in texts]
    names = [folder.path.name for folder in folders]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UserError(f"run {sorted(twice)[0]} is named twice; name each run once")
    if len(names) < 2:
        raise UserError("compare expects two runs or more (rofit status lists them)")
    logs = load_logs(session.places.store, names, evaluations=False)
    finished = set(best_last_gap(logs).index)
    for folder in folders:
        if folder.path.name not in finished:
            raise UserError(f"run {folder.path.name} {_lacking(folder)}")
    sections = {
        "what differs": differences(folders),
        "test robust accuracy, %": outcomes(logs, names),
    }
    picture = _picture(logs, folders, session.places.results)
    if session.flags.as_json:
        return answer(sections | {"curves": str(picture)}, True)
    answer(sections, False)
    say(f"curves   {picture}", soft_wrap=True, highlight=False)


def differences(folders: list[RunFolder]) -> Rows:
    """Return a row a field in which the runs' specs differ, a column a run."""
    settings = [_known_settings(folder) for folder in folders]
    names = dict.fromkeys(name for setting in settings for name in setting)
    return [
        {"field": name}
        | {
            f.path.name: setting.get(name)
            for f, setting in zip(folders, settings, strict=True)
        }
        for name in names
        if any(setting.get(name) != settings[0].get(name) for setting in settings)
    ]


def _known_settings(folder: RunFolder) -> dict[str, Any]:
    """Return fields and parameters, without those that a run's source does not say."""
    spec, source = folder.spec.as_dict(), folder.source
    settings = {k: v for k, v in spec.items() if k != "method_params"}
    settings |= spec["method_params"]
    unknown = source.unknown if source else ()
    return {name: v for name, v in settings.items() if name not in unknown}


def _lacking(folder: RunFolder) -> str:
    """Return what a run lacks that cannot be compared."""
    if folder.source and folder.state != "started":
        return "has no robust accuracies of test images by epoch: leave it out"
    return "has no finished epoch yet; let it go on"


def outcomes(logs: pd.DataFrame, names: list[str]) -> Rows:
    """Return best, last and gap of each run, and clean accuracy at the end."""
    summary = best_last_gap(logs)
    clean = curve(logs, split="test", robust=False)
    clean = clean[clean.columns.intersection(summary.index[summary["last"].notna()])]
    return [
        {
            "run": name,
            "best": _per_cent(summary.loc[name, "best"]),
            "at epoch": int(summary.loc[name, "best_epoch"]),
            "chosen on": summary.loc[name, "selected_on"],
            "last": _per_cent(summary.loc[name, "last"]),
            "gap": _per_cent(summary.loc[name, "gap"]),
            "clean, last": _per_cent(clean[name].dropna().iloc[-1])
            if name in clean
            else None,
            "epochs": int(summary.loc[name, "epochs"]),
        }
        for name in names
    ]


def _per_cent(share: float) -> float | None:
    """Return a share in per cent; None where it is no number, as JSON needs it."""
    return None if math.isnan(share) else round(100 * float(share), 2)


def curves(logs: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return a row a run and epoch: test_robust, train_robust, test_clean, per cent.

    NaN where a log of others has none.
    """
    metrics = {
        "test_robust": curve(logs, split="test"),
        "train_robust": curve(logs, split="train"),
        "test_clean": curve(logs, split="test", robust=False),
    }
    tables = []
    for name in names:
        table = pd.DataFrame(
            {key: 100 * v[name] for key, v in metrics.items() if name in v}
        )
        table = table.reindex(columns=list(metrics))
        tables.append(table.dropna(how="all").reset_index().assign(run=name))
    return pd.concat(tables, ignore_index=True)


def _picture(logs: pd.DataFrame, folders: list[RunFolder], results: Path) -> Path:
    """Draw the curves, and keep the numbers beside the picture.

    Runs of others stand there with their source's name.
    """
    names = [folder.path.name for folder in folders]
    digest = hashlib.sha256(" ".join(sorted(names)).encode()).hexdigest()[:8]
    folder = results / f"compare-{digest}"
    make_folder(folder)
    table = curves(logs, names)
    shown = {
        f.path.name: f"{f.path.name} ({f.source.title})" for f in folders if f.source
    }
    table["run"] = table["run"].replace(shown)
    write_text(folder / "table.csv", table.to_csv(index=False, lineterminator="\n"))
    figure = catalog.load_figure("_compare").draw(table)
    with writing(folder / "curves"):
        catalog.load_figure("_style").save(figure, folder / "curves")
    return folder / "curves.png"
