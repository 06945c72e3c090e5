"""What `rofit compare` tells: specs side by side, best / last / gap, curves."""

import hashlib
from pathlib import Path
from typing import Any

import click
import pandas as pd

from rofit.commands.answers import answer, say
from rofit.commands.flags import taking
from rofit.commands.session import Session
from rofit.errors import UserError
from rofit.measures.metrics import best_last_gap, curve
from rofit.reproduction import catalog
from rofit.reproduction.publish import make_folder
from rofit.store.rows import load_logs
from rofit.store.runs import RunFolder

Rows = list[dict[str, Any]]


@click.command()
@click.argument("texts", metavar="RUN RUN...", nargs=-1, required=True)
@taking("store", "out", "as_json", "debug")
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
    if empty := [name for name in names if name not in finished]:
        raise UserError(f"run {empty[0]} has no finished epoch yet; let it go on")
    told = {
        "what differs": differences(folders),
        "test robust accuracy, %": outcomes(logs, names),
    }
    drawn = _picture(logs, names, session.places.results)
    if session.flags.as_json:
        return answer(told | {"curves": str(drawn)}, True)
    answer(told, False)
    say(f"curves   {drawn}", soft_wrap=True, highlight=False)


def differences(folders: list[RunFolder]) -> Rows:
    """Return a row a field in which the runs' specs differ, a column a run."""
    specs = [folder.spec.as_dict() for folder in folders]
    told = [
        {k: v for k, v in spec.items() if k != "method_params"} | spec["method_params"]
        for spec in specs
    ]
    names = dict.fromkeys(name for each in told for name in each)
    return [
        {"field": name}
        | {f.path.name: each.get(name) for f, each in zip(folders, told, strict=True)}
        for name in names
        if any(each.get(name) != told[0].get(name) for each in told)
    ]


def outcomes(logs: pd.DataFrame, names: list[str]) -> Rows:
    """Return best, last and gap of each run, and clean accuracy at the end."""
    found = best_last_gap(logs)
    clean = curve(logs, split="test", robust=False)
    return [
        {
            "run": name,
            "best": round(100 * float(found.loc[name, "best"]), 2),
            "at epoch": int(found.loc[name, "best_epoch"]),
            "chosen on": found.loc[name, "selected_on"],
            "last": round(100 * float(found.loc[name, "last"]), 2),
            "gap": round(100 * float(found.loc[name, "gap"]), 2),
            "clean, last": round(100 * float(clean[name].dropna().iloc[-1]), 2),
            "epochs": int(found.loc[name, "epochs"]),
        }
        for name in names
    ]


def curves(logs: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return a row a run and epoch: test_robust, train_robust, test_clean, per cent."""
    measured = {
        "test_robust": curve(logs, split="test"),
        "train_robust": curve(logs, split="train"),
        "test_clean": curve(logs, split="test", robust=False),
    }
    parts = []
    for name in names:
        part = pd.DataFrame({key: 100 * seen[name] for key, seen in measured.items()})
        parts.append(part.dropna(how="all").reset_index().assign(run=name))
    return pd.concat(parts, ignore_index=True)


def _picture(logs: pd.DataFrame, names: list[str], results: Path) -> Path:
    """Draw the curves, and keep the numbers beside the picture."""
    which = hashlib.sha256(" ".join(sorted(names)).encode()).hexdigest()[:8]
    folder = results / f"compare-{which}"
    make_folder(folder)
    table = curves(logs, names)
    table.to_csv(folder / "table.csv", index=False)
    drawn = catalog.load_figure("_compare").draw(table)
    catalog.load_figure("_style").save(drawn, folder / "curves")
    return folder / "curves.png"
