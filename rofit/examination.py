"""`rofit eval`, and the evaluations that an analysis needs: what is asked of whom."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from rich.console import Console

from rofit.errors import UserError
from rofit.evaluation.cases import read_cases
from rofit.evaluations import Shard
from rofit.evaluator import How, check, evaluate, missing
from rofit.findings import Rows, found_rows, warning_rows
from rofit.jobs import work_all
from rofit.knobs import parse_value
from rofit.parts import find_device
from rofit.progress import Meter
from rofit.resolve import described
from rofit.scales import find_scale
from rofit.spec import RunSpec
from rofit.store import RunFolder, RunStore
from rofit.subject import Subject, load_subject
from rofit.training.stop import Stop

if TYPE_CHECKING:
    from rofit.session import Session

BOTH = ("best", "last")


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


def examine(
    session: "Session", targets: Iterable[str], asked: Asked
) -> tuple[dict[str, Rows], bool]:
    """Evaluate runs or checkpoint files; return tables of results and warnings.

    Also says whether all that was asked is done.

    Raises:
        UserError: no such run, checkpoint or attack, or numbers out of range.
    """
    device = find_device(session.flags.device)
    shard = _shard(asked.shard)
    epsilons = [
        parse_value("epsilon", text, float)
        for text in asked.epsilons.split(",")
        if text.strip()
    ]
    names = [n.strip() for text in asked.attacks for n in text.split(",") if n.strip()]
    found: dict[str, Rows] = {}
    done = True
    source = one(session, asked.source, device) if asked.source else None
    paths = [p for text in targets for p in _paths(session.store, text, asked)]
    with Stop(session.minutes_left()) as stop:
        how = How(
            device,
            stop,
            _meters(None if session.flags.quiet else session.console, ""),
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
            )
            folder = _folder(session.store, path, subject.spec)
            if not session.flags.dry_run:
                done = evaluate(subject, folder, cases, how, source=source) and done
            title = f"{folder.path.name}, {subject.name} (epoch {subject.epoch})"
            found[title] = found_rows(subject, folder, cases)
            if done and not session.flags.dry_run:
                found[f"{title}: gradient masking"] = warning_rows(
                    subject, folder, cases
                )
            if stop.now or stop.out_of_time:
                break
    return found, done


def examine_runs(
    session: "Session", specs: list[RunSpec], attacks: tuple[str, ...]
) -> bool:
    """Make the evaluations that an analysis needs, of best and last of every run.

    Attacks that are too long for the scale are left out.
    A transfer comes from the run of Madry's training with the same seed, at the same
    checkpoint; for those runs themselves from the one with the next seed, if any.
    """
    jobs = [
        EvaluationJob(
            session.store.folder(spec.run_id),
            session.store.folder(other.run_id) if other else None,
            attacks,
            find_scale(session.scale).longest,
            data=session.places.data,
            device=session.flags.device,
            engine=session.flags.engine,
            quiet=session.flags.quiet,
        )
        for spec in specs
        for other in [twin(spec, specs)]
    ]
    return work_all(jobs, session.flags.jobs, session.minutes_left(), session.console)


@dataclass(frozen=True)
class EvaluationJob:
    """Both checkpoints of one run, to be evaluated by the same attacks."""

    folder: RunFolder
    source: RunFolder | None
    attacks: tuple[str, ...]
    longest: float
    data: Path
    device: str
    engine: str
    quiet: bool

    @property
    def name(self) -> str:
        """What an error calls it."""
        return f"the evaluation of run {self.folder.path.name}"

    def work(self, stop: Stop, console: Console, *, alone: bool) -> bool:
        """Make the evaluations that are missing; say whether all are there."""
        how = How(
            find_device(self.device),
            stop,
            _meters(None if self.quiet else console, self.folder.path.name),
            engine=self.engine,
        )
        for checkpoint in BOTH:
            subject, source = self._load(self.folder, checkpoint, how), None
            if self.source is not None and "transfer" in self.attacks:
                source = self._load(self.source, checkpoint, how)
            cases = read_cases(
                [a for a in self.attacks if a != "transfer" or source],
                subject.spec,
                n=len(subject.images.y),
                source=source.digest if source else "",
            )
            cases = [case for case in cases if case.passes <= self.longest]
            if missing(subject, self.folder, cases):
                if not evaluate(subject, self.folder, cases, how, source=source):
                    return False
                check(subject, self.folder, subject.spec.norm, subject.spec.epsilon)
        return True

    def _load(self, folder: RunFolder, name: str, how: How) -> Subject:
        path = folder.checkpoints / f"{name}.pt"
        return load_subject(path, data=self.data, device=how.device)


def twin(spec: RunSpec, specs: list[RunSpec]) -> RunSpec | None:
    """Return the run whose adversarial examples are tried on *spec*'s network."""
    plain = [each for each in specs if each.method == "pgd_at" and each != spec]
    same = [each for each in plain if each.seed == spec.seed]
    if spec.method != "pgd_at":
        return same[0] if same else None
    later = sorted(plain, key=lambda each: (each.seed <= spec.seed, each.seed))
    return later[0] if later else None


def _paths(store: RunStore, text: str, asked: Asked) -> list[Path]:
    """Return the checkpoint files that *text*, a run or a file, stands for."""
    if Path(text).is_file() or text.endswith(".pt"):
        return [Path(text)]
    folder = store.find(text)
    return [folder.checkpoints / f"{name}.pt" for name in asked.checkpoints or BOTH]


def one(session: "Session", text: str, device: torch.device) -> Subject:
    """Return the network of a checkpoint file, or the last of a run."""
    path = _paths(session.store, text, Asked(checkpoints=("last",)))[0]
    return load_subject(path, data=session.places.data, device=device)


def _folder(store: RunStore, path: Path, spec: RunSpec) -> RunFolder:
    """Return the run's folder that the file is in, or makes its like in the store."""
    inside = path.resolve().parent.parent
    if inside.name == spec.run_id and path.parent.name == "checkpoints":
        return RunFolder(inside)
    folder = store.folder(spec.run_id)
    with folder.opened(described(spec)):
        return folder


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


def _meters(console: Console | None, run: str) -> Callable[[str, float], Meter]:
    return lambda label, left: Meter(console, f"{run} {label}", left)
