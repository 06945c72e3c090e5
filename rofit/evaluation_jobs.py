"""The evaluations that an analysis needs: best and last of every run, side by side."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from rofit.evaluation.cases import read_cases
from rofit.evaluator import How, check, checks_file, evaluate, missing
from rofit.parts import find_device
from rofit.progress import Meter
from rofit.spec import RunSpec
from rofit.store import RunFolder, RunStore
from rofit.subject import Subject, load_subject
from rofit.training.stop import Stop

BOTH = ("best", "last")


def evaluation_jobs(
    specs: list[RunSpec], store: RunStore, attacks: tuple[str, ...], **how: Any
) -> "list[EvaluationJob]":
    """Return what makes the evaluations that an analysis needs, a job a run.

    A transfer comes from the run of Madry's training with the same seed, at the same
    checkpoint; for those runs themselves from the one with the next seed, if any.

    Args:
        specs: the runs, trained.
        store: where they are.
        attacks: names.
        **how: the other fields of EvaluationJob.
    """
    jobs = []
    for spec in specs:
        other = twin(spec, specs)
        source = store.folder(other.run_id) if other else None
        jobs.append(EvaluationJob(store.folder(spec.run_id), source, attacks, **how))
    return jobs


@dataclass(frozen=True)
class EvaluationJob:
    """Both checkpoints of one run, to be evaluated by the same attacks.

    Attributes:
        folder: of the run.
        source: of the run whose networks ``transfer`` attacks, if there is one.
        attacks: names.
        longest: passes an image; attacks that may take more are left out.
        data: folder of data sets.
        device: name.
        engine: name.
        quiet: show no progress.
    """

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
            meters(None if self.quiet else console, f"{self.folder.path.name} "),
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
            threat = (subject.spec.norm, subject.spec.epsilon)
            lacking = missing(subject, self.folder, cases)
            if not evaluate(subject, self.folder, lacking, how, source=source):
                return False
            if lacking or not checks_file(subject, self.folder, *threat).exists():
                check(subject, self.folder, *threat)
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


def meters(console: Console | None, about: str) -> Callable[[str, float], Meter]:
    """Return what makes meters whose labels begin with *about*."""
    return lambda label, left: Meter(console, about + label, left)
