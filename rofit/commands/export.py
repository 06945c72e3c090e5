"""The command export: runs without checkpoints as a store, or one run to publish."""

import os
import shutil
from pathlib import Path
from typing import Any

import click

from rofit.commands.answers import answer
from rofit.commands.completion import complete_runs
from rofit.commands.flags import with_flags
from rofit.commands.session import Session, notify
from rofit.errors import UserError
from rofit.store.runs import RunFolder, read_events
from rofit.writing import unwritable

_LEFT_OUT = ("checkpoints", "lock", "*.lock", "*.tmp")
# What the last stop may say of the run's cost.
_COST = ("seconds", "seconds_an_epoch", "peak_gpu_gib")


@click.command()
@click.argument(
    "texts", metavar="RUN", nargs=-1, required=True, shell_complete=complete_runs
)
@click.option("--out", "copies", type=Path, help="Folder of copies without weights.")
@click.option("--to", "target", help="Folder to publish in, or a sink to feed.")
@click.option("--checkpoint", help="best, last, epoch-0100 [best]; with --to.")
@with_flags("store", "as_json", "debug")
def export(
    session: Session,
    texts: tuple[str, ...],
    copies: Path | None,
    target: str | None,
    checkpoint: str | None,
) -> None:
    """Copy runs without checkpoints, publish one in a folder, or feed a sink.

    A copy is a store that load_logs and show --store read. What is published has the
    weights as safetensors, a loader without rofit, a model card and the logs. A sink is
    tensorboard, wandb, mlflow, trackio or csv, :WHERE behind it where --log-to takes
    one; a folder of such a name is ./csv.
    """
    if (copies is None) == (target is None):
        missing = "Missing option: one of" if copies is None else "Only one can be of"
        raise click.UsageError(f"{missing} --out FOLDER and --to TARGET.")
    folders = [session.store.find(text) for text in texts]
    to_sink = target is not None and _is_sink(target)
    if checkpoint is not None and (target is None or to_sink):
        raise click.UsageError("--checkpoint goes with --to FOLDER, which has weights.")
    if target is not None and to_sink:
        rows = _fed(folders, target)
    elif target is not None:
        rows = _publish(folders, Path(target), checkpoint or "best")
    else:
        assert copies is not None
        rows = _copies(folders, copies)
    answer({"runs": rows}, session.flags.as_json)


def _is_sink(target: str) -> bool:
    from rofit.sinks import SINKS

    return target.partition(":")[0] in SINKS


def _fed(folders: list[RunFolder], sink: str) -> list[dict[str, Any]]:
    """Feed the runs to a sink; return a row a run."""
    from rofit.sinks import feed

    return [
        {"run": folder.path.name, "sink": sink, "numbers added": feed(folder, sink)}
        for folder in folders
    ]


def _publish(
    folders: list[RunFolder], target: Path, checkpoint: str
) -> list[dict[str, Any]]:
    """Write the one run into *target*; return it as a row."""
    from rofit.interop.publish.folder import publish

    if len(folders) > 1:
        raise UserError(f"--to takes one run, got {len(folders)}; name a folder a run")
    published = publish(folders[0], target, checkpoint)
    if published.without:
        notify(f"no claim: {published.without}")
    return [
        {
            "run": folders[0].path.name,
            "checkpoint": published.checkpoint,
            "epoch": published.epoch,
            "files": ", ".join(published.files),
        }
    ]


def _copies(folders: list[RunFolder], target: Path) -> list[dict[str, Any]]:
    """Copy the runs without checkpoints into *target*; return a row a run."""
    from rofit.commands import inventory  # here, as in listing

    files = {folder: exportable(folder, target) for folder in folders}
    rows = []
    for folder, names in files.items():
        for name in names:
            try:
                _copy(folder.path / name, target / folder.path.name / name)
            except OSError as error:
                raise unwritable(str(target), error, "--out") from None
        rows.append(inventory.run_row(folder, folder.spec) | _cost(folder))
    return rows


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
