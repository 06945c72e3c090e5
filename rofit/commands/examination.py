"""`rofit eval`: what is asked of which networks."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from rofit.commands.findings import Rows, found_rows, warning_rows
from rofit.errors import UserError
from rofit.evaluation.cases import read_cases
from rofit.methods.resolve import described
from rofit.running.evaluation_jobs import BOTH, meters
from rofit.running.evaluator import How, evaluate, missing
from rofit.running.parts import find_device
from rofit.running.subject import Subject, load_subject, require
from rofit.settings.knobs import parse_value
from rofit.settings.spec import RunSpec
from rofit.store.evaluations import Shard
from rofit.store.runs import RunFolder, RunStore
from rofit.training.process import without_tf32
from rofit.training.stop import Stop

if TYPE_CHECKING:
    from rofit.commands.session import Session


@dataclass(frozen=True)
class Asked:
    """What `rofit eval` was asked, as typed.

    Attributes:
        attacks: names, several of them parted by commas.
        checkpoints: of a run; ``best`` and ``last`` where empty.
        norm: of the threat model; the run's where empty.
        epsilons: radii, parted by commas; the run's where empty.
        n: the first so many test images; all where 0.
        shard: ``1/4``, or empty.
        seed: of every draw.
        batch_size: images at a time; the device's usual number where 0.
        source: run or checkpoint that ``transfer`` attacks.
        precision: ``fp32`` or ``tf32``.
    """

    attacks: tuple[str, ...] = ()
    checkpoints: tuple[str, ...] = ()
    norm: str = ""
    epsilons: str = ""
    n: int = 0
    shard: str = ""
    seed: int = 0
    batch_size: int = 0
    source: str = ""
    precision: str = "fp32"


def examine(
    session: "Session", targets: Iterable[str], asked: Asked
) -> tuple[dict[str, Rows], bool]:
    """Evaluate runs or checkpoint files; return tables of results and warnings.

    Also says whether all that was asked is done.

    Raises:
        UserError: no such run, checkpoint or attack, numbers out of range, or TF32 on
            a device that has none.
    """
    device = find_device(session.flags.device)
    if asked.precision == "tf32" and without_tf32(device):
        raise UserError(
            f"--precision tf32 needs a GPU that has it (Ampere or later), got {device}"
        )
    shard = _shard(asked.shard)
    epsilons = [
        parse_value("epsilon", text, float)
        for text in asked.epsilons.split(",")
        if text.strip()
    ]
    names = [n.strip() for text in asked.attacks for n in text.split(",") if n.strip()]
    found: dict[str, Rows] = {}
    done, begun = True, False
    if asked.source and not any(name.startswith("transfer") for name in names):
        raise UserError("--from names the network of transfer: add --attack transfer")
    source = one(session, asked.source, device) if asked.source else None
    paths = [p for text in targets for p in _paths(session.store, text, asked)]
    for path in paths:
        require(path)
    with Stop(session.minutes_left()) as stop:
        how = How(
            device,
            stop,
            meters(None if session.flags.quiet else session.console, ""),
            shard,
            asked.batch_size,
            session.flags.engine,
        )
        for path in paths:
            subject = load_subject(path, data=session.places.data, device=device)
            cases = read_cases(
                names or ["clean", "pgd20", "autoattack"],
                subject.spec,
                n=_count(asked.n, subject),
                norm=asked.norm,
                epsilons=epsilons,
                seed=asked.seed,
                source=source.digest if source else "",
                precision=asked.precision,
            )
            folder = _folder(session.store, path, subject.spec)
            if not session.flags.dry_run:
                _begin(folder, subject.spec)
                begun = bool(missing(subject, folder, cases)) or begun
                done = evaluate(subject, folder, cases, how, source=source) and done
            title = f"{folder.path.name}, {subject.name} (epoch {subject.epoch})"
            found[title] = found_rows(subject, folder, cases)
            if done and not session.flags.dry_run:
                found[f"{title}: gradient masking"] = warning_rows(
                    subject, folder, cases
                )
            if stop.now or stop.out_of_time and begun:
                done = done and path == paths[-1]
                break
    return found, done


def _paths(store: RunStore, text: str, asked: Asked) -> list[Path]:
    """Return the checkpoint files that *text*, a run or a file, stands for."""
    if Path(text).is_file() or text.endswith(".pt"):
        if asked.checkpoints and text != asked.source:
            raise UserError("--checkpoint is for runs; a file is one already")
        return [Path(text)]
    folder = store.find(text)
    return [folder.checkpoints / f"{name}.pt" for name in asked.checkpoints or BOTH]


def one(session: "Session", text: str, device: torch.device) -> Subject:
    """Return the network of a checkpoint file, or the last of a run."""
    asked = Asked(checkpoints=("last",), source=text)
    path = _paths(session.store, text, asked)[0]
    return load_subject(path, data=session.places.data, device=device)


def _folder(store: RunStore, path: Path, spec: RunSpec) -> RunFolder:
    """Return the run's folder that the file is in, or its like in the store."""
    inside = path.resolve().parent.parent
    if inside.name == spec.run_id and path.parent.name == "checkpoints":
        return RunFolder(inside)
    return store.folder(spec.run_id)


def _begin(folder: RunFolder, spec: RunSpec) -> None:
    """Make the folder of a run that is known by a checkpoint file alone."""
    if folder.state == "missing":
        with folder.opened(described(spec)):
            pass


def _count(n: int, subject: Subject) -> int:
    there = len(subject.images.y)
    if n > there:
        raise UserError(
            f"the run has {there} test images; --n must not be more, got {n}"
        )
    return n or there


def _shard(text: str) -> Shard:
    k, slash, of = text.partition("/")
    if not text:
        return (1, 1)
    if not (slash and k.isdigit() and of.isdigit() and 1 <= int(k) <= int(of)):
        raise UserError(f"--shard expects K/N with K from 1 to N (1/4), got {text!r}")
    return int(k), int(of)
