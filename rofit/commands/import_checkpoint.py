"""`rofit import checkpoint`, and the same choices for `rofit eval FILE`."""

import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rofit.commands.answers import answer
from rofit.commands.flags import with_flags
from rofit.commands.session import Session, notify
from rofit.errors import Remark, UserError

if TYPE_CHECKING:
    from rofit.interop.checkpoints.storing import Imported

_OPTIONS = {
    "model": click.option("--model", default="", help="Architecture [by the tensors]."),
    "dataset": click.option(
        "--dataset", default="", help="Data set [by channels and classes]."
    ),
    "normalise": click.option(
        "--normalise",
        default="",
        metavar="inside|outside|MEAN/STD",
        help="Where images are normalised [by the layout].",
    ),
    "activation": click.option(
        "--activation",
        type=click.Choice(["relu", "silu"]),
        default=None,
        help="Of the hidden layers [by the layout].",
    ),
    "form": click.option(
        "--form", default="", help="Whose blocks, a field of a run [by the layout]."
    ),
    "weights": click.option(
        "--weights", default="", help="Which network of the file [averaged, last]."
    ),
    "name": click.option("--name", default="", help="Method's name [the layout's]."),
    "trust": click.option(
        "--trust", is_flag=True, help="Run a file's code, in a process of its own."
    ),
}


def with_choices(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags that say what a file leaves open; the command gets ``choices``."""

    @wraps(command)
    def with_dictionary(*args: Any, **options: Any) -> Any:
        choices = {name: options.pop(name) or "" for name in _OPTIONS}
        given = {name: value for name, value in choices.items() if value}
        return command(*args, choices=given, **options)

    for option in reversed(_OPTIONS.values()):
        with_dictionary = option(with_dictionary)
    return with_dictionary


@click.command("checkpoint")
@click.argument("file", type=Path)
@with_choices
@with_flags("store", "data", "device", "as_json", "quiet", "debug")
def checkpoint(session: Session, file: Path, choices: dict[str, Any]) -> None:
    """Import a network that another code base has trained, and check it.

    Of robust_overfitting, AWP, MLCAT, SAT, SGLS, TRADES, MART, ADR, KD+SWA, MAIR,
    MadryLab's robustness, RobustBench, FastAT Benchmark, Lightning or safetensors.
    """
    imported = import_file(session, file, choices)
    if session.flags.as_json:
        return answer({"imported": [_row(file, imported)]}, True)
    click.echo(sentence(file, imported))


def import_file(session: Session, file: Path, choices: dict[str, Any]) -> "Imported":
    """Import a file, with the session's data set and folders; show its remarks.

    Raises:
        UserError: it cannot be imported, or the flags name two data sets.
    """
    from rofit.interop.checkpoints.importing import Choices, import_checkpoint
    from rofit.running.components import find_device

    if len(session.data) > 1 or (session.data and "dataset" in choices):
        raise UserError("a checkpoint is of one data set: --data once, or --dataset")
    for copy in session.data:
        choices = choices | {"dataset": copy.name, "digest": copy.digest}
    imported = import_checkpoint(
        file,
        Choices(**choices),
        store=session.places.store,
        data=session.places.data,
        device=find_device(session.flags.device),
    )
    for remark in imported.origin.check.remarks:
        warnings.warn(f"{file.name}: {remark}", category=Remark, stacklevel=2)
    return imported


def evaluable(session: Session, target: str, choices: dict[str, Any]) -> str:
    """Return what `rofit.evaluate` takes: another's file is imported first.

    Raises:
        UserError: it cannot be imported, or choices are made for a run of rofit.
    """
    from rofit.interop.checkpoints.reading import Unreadable
    from rofit.running.checkpoints import is_ours

    path = Path(target)
    if path.is_file() and not is_ours(path):
        try:
            imported = import_file(session, path, choices)
        except Unreadable as error:
            raise UserError(
                f"{path} cannot be read as a checkpoint of rofit: it is damaged, or of "
                f"another program; {error}"
            ) from None
        if not session.flags.quiet:
            notify(sentence(path, imported))
        return str(imported.file)
    if choices:
        raise UserError(
            f"--{min(choices)} is for checkpoint files of other programs, and {target} "
            "is none"
        )
    return target


def sentence(file: Path, imported: "Imported") -> str:
    """Return what the file was, and what it is now, in one line."""
    row, spec = _row(file, imported), imported.spec
    others = f" (also there: {row['others']})" if row["others"] else ""
    where = f"{row['weights']}{others}, " if row["weights"] else ""
    changes = [w for w in (spec.form, spec.activation) if w not in ("usual", "relu")]
    constants = "as they are"
    if spec.normalise:
        constants = f"normalised with {row['normalise']}"
    unused = f" and {row['unused']} that are never used" if row["unused"] else ""
    return (
        f"{file.name} is of {row['layout']}: {where}{row['tensors']} tensors"
        f"{unused}, {' '.join([row['model'], *changes])}, images "
        f"{constants}; clean accuracy {row['accuracy %']} % on {row['n']} test "
        f"images of {row['dataset']}; run {row['run']}, {row['checkpoint']}"
    )


def _row(file: Path, imported: "Imported") -> dict[str, Any]:
    """Return what an import made of a file, as JSON."""
    origin, spec = imported.origin, imported.spec
    check = origin.check
    return {
        "run": imported.folder.path.name,
        "checkpoint": imported.file.stem,
        "file": file.name,
        "layout": origin.layout.whose,
        "weights": origin.weights,
        "others": ", ".join(origin.others),
        "tensors": imported.tensors,
        "unused": origin.unused,
        "model": spec.model,
        "form": spec.form,
        "activation": spec.activation,
        "normalise": str(check.normaliser),
        "dataset": spec.dataset,
        "n": check.n,
        "accuracy %": round(100 * check.accuracy[check.normaliser], 2),
        "file says": origin.facts,
        "remarks": check.remarks,
    }
