"""The evaluations that an analysis needs: best and last of every run, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from rofit.evaluation.cases import Case, read_cases
from rofit.progress import meters
from rofit.running.checkpoints import (
    BEST_AND_LAST,
    Checkpoint,
    LoadedCheckpoint,
    load_checkpoint,
)
from rofit.running.checks import checks_file
from rofit.running.components import find_device
from rofit.running.evaluate import evaluate_and_check
from rofit.running.evaluator import Execution, missing
from rofit.running.jobs import work_all
from rofit.settings.spec import RunSpec
from rofit.store.evaluations import Shard, evaluations, share_of
from rofit.store.runs import RunFolder, RunStore, read_rows
from rofit.training.stop import Stop


def evaluate_runs(
    specs: list[RunSpec],
    attacks: tuple[str, ...],
    *,
    longest: float,
    store: Path,
    data: Path,
    device: str,
    engine: str,
    jobs: int,
    devices: Sequence[str],
    max_minutes: float | None,
    console: Console | None,
) -> bool:
    """Evaluate best and last of runs that are trained; say whether all is done.

    *longest* is in passes an image: attacks that may take more are left out. The other
    arguments are those of `rofit.evaluate`, jobs and devices those of `rofit.train`.
    """
    settings = {"data": data, "device": device, "engine": engine, "quiet": not console}
    lacking = evaluation_jobs(
        specs, RunStore(store), attacks, longest=longest, **settings
    )
    shown = console or Console(stderr=True)
    return work_all(lacking, jobs, max_minutes, shown, devices)


def evaluation_jobs(
    specs: list[RunSpec], store: RunStore, attacks: tuple[str, ...], **settings: Any
) -> "list[EvaluationJob]":
    """Return the jobs of the evaluations that an analysis lacks, a job a run.

    A transfer comes from the run of Madry's training with the same seed, at the same
    checkpoint; for those runs themselves from the one with the next seed, if any.

    Args:
        specs: the runs, trained.
        store: where they are.
        attacks: names.
        **settings: the other fields of EvaluationJob.
    """
    jobs = []
    for spec in specs:
        source_spec = transfer_source(spec, specs) if "transfer" in attacks else None
        source = store.folder(source_spec.run_id) if source_spec else None
        jobs.append(
            EvaluationJob(store.folder(spec.run_id), source, attacks, **settings)
        )
    return [job for job in jobs if not job.is_done]


@dataclass(frozen=True)
class EvaluationJob:
    """Both checkpoints of one run, to be evaluated by the same attacks.

    Attributes:
        folder: of the run.
        source: of the run whose networks ``transfer`` attacks, if it is requested and
            there is one.
        attacks: names.
        longest: passes an image; attacks that may take more are left out.
        data: folder of data sets.
        device: name.
        engine: name.
        quiet: show no progress.
        shard: (k, m): every m-th image from the k-th on.
    """

    folder: RunFolder
    source: RunFolder | None
    attacks: tuple[str, ...]
    longest: float
    data: Path
    device: str
    engine: str
    quiet: bool
    shard: Shard = (1, 1)

    @property
    def name(self) -> str:
        """What an error calls it."""
        run = self.folder.path.name
        return share_of(self.shard, f"the evaluation of run {run}")

    @property
    def is_done(self) -> bool:
        """Whether all results are there, by what lies in the runs' folders alone.

        It opens neither data nor checkpoints, which may be gone: False if in doubt.
        """
        if self.folder.state != "done":
            return False
        checkpoints, sources = _evaluated(self.folder), _evaluated(self.source)
        spec, n = self.folder.spec, _test_images(self.folder)
        for name in BEST_AND_LAST:
            checkpoint, source = checkpoints.get(name), sources.get(name)
            if checkpoint is None or (self.source and source is None):
                return False
            checked = checks_file(checkpoint, self.folder, spec.norm, spec.epsilon)
            lacking = missing(checkpoint, self.folder, self._cases(spec, n, source))
            if lacking or not checked.exists():
                return False
        return True

    def work(self, stop: Stop, console: Console, *, alone: bool) -> bool:
        """Make the evaluations that are missing; say whether all are there."""
        shown = meters(None if self.quiet else console, f"{self.folder.path.name} ")
        device = find_device(self.device)
        execution = Execution(device, stop, shown, self.shard, engine=self.engine)
        for name in BEST_AND_LAST:
            checkpoint = self._load(self.folder, name, device)
            source = self._load(self.source, name, device) if self.source else None
            n, n_classes = len(checkpoint.images.y), checkpoint.n_classes
            cases = self._cases(checkpoint.spec, n, source, n_classes)
            if not evaluate_and_check(
                checkpoint, self.folder, cases, execution, source
            ):
                return False
        return True

    def _cases(
        self, spec: RunSpec, n: int, source: Checkpoint | None, n_classes: int = 0
    ) -> list[Case]:
        cases = read_cases(
            [name for name in self.attacks if name != "transfer" or source],
            spec,
            n=n,
            n_classes=n_classes,
            source=source.digest if source else "",
        )
        return [case for case in cases if case.passes <= self.longest]

    def _load(
        self, folder: RunFolder, name: str, device: torch.device
    ) -> LoadedCheckpoint:
        path = folder.checkpoints / f"{name}.pt"
        return load_checkpoint(path, data=self.data, device=device)


def _evaluated(folder: RunFolder | None) -> dict[str, Checkpoint]:
    """Return the weights that a run ended with, as far as its results know them."""
    if folder is None or folder.state != "done":
        return {}
    ended = folder.read_json("done.json")
    if ended is None:
        return {}
    epochs = {"best": ended.get("best", {}).get("epoch"), "last": ended["epochs"]}
    checkpoints = {
        Checkpoint(result["checkpoint"], result["epoch"], result["network"])
        for result in evaluations(folder)
        if result["epoch"] == epochs.get(result["checkpoint"])
    }
    by_name = {checkpoint.name: checkpoint for checkpoint in checkpoints}
    return by_name if len(by_name) == len(checkpoints) else {}


def _test_images(folder: RunFolder) -> int:
    rows = (row for row in read_rows(folder.path) if row.get("split") == "test")
    return int(next(rows, {"n": 0})["n"])


def transfer_source(spec: RunSpec, specs: list[RunSpec]) -> RunSpec | None:
    """Return the run whose adversarial examples are tried on *spec*'s network."""
    plain = [other for other in specs if other.method == "pgd_at" and other != spec]
    same = [other for other in plain if other.seed == spec.seed]
    if spec.method != "pgd_at":
        return same[0] if same else None
    later = sorted(plain, key=lambda other: (other.seed <= spec.seed, other.seed))
    return later[0] if later else None
