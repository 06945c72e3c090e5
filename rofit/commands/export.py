"""The command export: runs without their checkpoints, as a store of their own."""

import os
import shutil
from pathlib import Path
from typing import Any

import click

from rofit.commands import inventory
from rofit.commands.answers import answer
from rofit.commands.flags import with_flags
from rofit.commands.session import Session
from rofit.errors import UserError
from rofit.store.runs import RunFolder, read_events
from rofit.writing import unwritable

_LEFT_OUT = ("checkpoints", "lock", "*.lock", "*.tmp")
# What the last stop may say of the run's cost.
_COST = ("seconds", "seconds_an_epoch", "peak_gpu_gib")


@click.command()
@click.argument("texts", metavar="RUN", nargs=-1, required=True)
@click.option("--out", "target", type=Path, required=True, help="Folder of the copies.")
@with_flags("store", "as_json", "debug")
def export(session: Session, texts: tuple[str, ...], target: Path) -> None:
    """Copy runs without checkpoints: a store that load_logs and show --store read."""
    folders = [session.store.find(text) for text in texts]
    files = {folder: exportable(folder, target) for folder in folders}
    rows = []
    for folder, names in files.items():
        for name in names:
            try:
                _copy(folder.path / name, target / folder.path.name / name)
            except OSError as error:
                raise unwritable(str(target), error, "--out") from None
        rows.append(inventory.run_row(folder, folder.spec) | _cost(folder))
    answer({"runs": rows}, session.flags.as_json)


def exportable(folder: RunFolder, target: Path) -> list[Path]:
    """Return the files of a run to copy to *target*, relative to the run's folder.

    Raises:
        UserError: there is a file under the run's id that is none of these, or another.
    """
    source, copy = folder.path, target / folder.path.name
    names = _files(source)
    for name in _files(copy):
        same = name in names and (
            (source / name).read_bytes() == (copy / name).read_bytes()
        )
        if not same:
            raise UserError(
                f"{copy} already holds another {name} than {source}; move it away"
            )
    return names


def _files(folder: Path) -> list[Path]:
    """Return the files of a run that are kept, relative to its folder, sorted."""
    names = (p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    return sorted(
        name
        for name in names
        if not any(Path(part).match(p) for part in name.parts for p in _LEFT_OUT)
    )


def _copy(source: Path, target: Path) -> None:
    """Copy so that *target* is the old file or the new one, whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(target.name + ".tmp")
    shutil.copyfile(source, temporary)
    os.replace(temporary, target)


def _cost(folder: RunFolder) -> dict[str, Any]:
    """Return what the run's last stop says of seconds and memory, None if nothing."""
    stops = [e for e in read_events(folder.path) if e["event"] == "stop"]
    last = stops[-1] if stops else {}
    return {name.replace("_", " "): last.get(name) for name in _COST}
