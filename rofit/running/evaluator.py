"""Evaluations of a network, made and kept: what is there is not made again."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from rofit.attacks.compiled import CompiledPGD
from rofit.attacks.pgd import PGD
from rofit.errors import UserError
from rofit.evaluation import mill
from rofit.evaluation.accuracy import CHUNK
from rofit.evaluation.cases import Case
from rofit.evaluation.mill import Stage
from rofit.evaluation.stages import make_stages
from rofit.evaluation.watched import fill_limit
from rofit.progress import Meter
from rofit.running.parts import device_name
from rofit.running.subject import Subject, Weights
from rofit.store.environment import environment
from rofit.store.evaluations import EvaluationFolder, Shard, evaluations, verdicts
from rofit.store.runs import RunFolder
from rofit.training.engine import choose_engine
from rofit.training.process import prepare
from rofit.training.stop import Stop


@dataclass(frozen=True)
class How:
    """What verdicts do not depend on: share of the work, device, engine, end."""

    device: torch.device
    stop: Stop
    meter: Callable[[str, float], Meter]
    shard: Shard = (1, 1)
    chunk: int = 0
    engine: str = "auto"

    @property
    def images(self) -> int:
        """Images at a time."""
        return self.chunk or CHUNK[self.device.type]


def evaluate(
    subject: Subject,
    folder: RunFolder,
    cases: Iterable[Case],
    how: How,
    *,
    source: Subject | None = None,
) -> bool:
    """Make the evaluations that the folder lacks; say whether this share is done.

    Args:
        subject: the network.
        folder: of its run: where verdicts go after every batch.
        cases: what is asked.
        how: device, engine, share of the work, when to stop.
        source: the network that ``transfer`` attacks.

    Raises:
        UserError: another process is at it, an attack cannot be made here, or the GPU
            has too little memory.
    """
    for case in missing(subject, folder, cases):
        prepare(case.precision)
        kept = EvaluationFolder(folder, evaluation_name(subject, case))
        if same := _of_same_weights(subject, folder, case):
            kept.path.mkdir(parents=True, exist_ok=True)
            table = verdicts(folder, same.pop("name"))
            about = {"checkpoint": subject.name, "epoch": subject.epoch}
            kept.finish(table, same | about)
            continue
        try:
            if not _evaluate_one(subject, kept, case, how, source):
                return False
        except torch.cuda.OutOfMemoryError:
            raise UserError(
                f"{how.device} has too little memory for {how.images} images at a "
                "time: free it, or take fewer (rofit eval --batch-size "
                f"{how.images // 2}); the verdicts so far are kept"
            ) from None
    return True


def missing(weights: Weights, folder: RunFolder, cases: Iterable[Case]) -> list[Case]:
    """Return the cases that the folder has no result of."""
    there = {each["name"] for each in evaluations(folder)}
    return [case for case in cases if evaluation_name(weights, case) not in there]


def evaluation_name(weights: Weights, case: Case) -> str:
    """Return the name of the folder that the case has in a run's."""
    return f"{weights.name}-{case.key(weights.digest)}"


def _of_same_weights(
    subject: Subject, folder: RunFolder, case: Case
) -> dict[str, Any] | None:
    """Return the result of another checkpoint with the same weights, if there is one.

    Where the last epoch is the best, they are one network.
    """
    end = f"-{case.key(subject.digest)}"
    found = (each for each in evaluations(folder) if each["name"].endswith(end))
    return next(found, None)


def _evaluate_one(
    subject: Subject,
    kept: EvaluationFolder,
    case: Case,
    how: How,
    source: Subject | None,
) -> bool:
    images = subject.images.first(case.n)
    mine = images.share(*how.shard)
    stages = make_stages(
        case,
        subject.network,
        n_classes=subject.n_classes,
        make_pgd=_pgd_maker(case, how, min(how.images, len(mine.y))),
        source=source.network if source else None,
        filled_to=fill_limit(how.images, how.device),
    )
    with kept.opened(how.shard):
        table = kept.load(how.shard)
        if table is None:
            table = mill.blank(mine)
        label = f"{subject.name} {case.attack} {case.threat}"
        begun = time.monotonic()
        with how.meter(label, _left(table, stages)) as meter:

            def after(table: Any, stage: Stage, images: int) -> bool:
                kept.save(table, how.shard)
                meter.show(
                    _left(table, stages), f"{(table['fooled_by'] == '').mean():.1%}"
                )
                return how.stop.now or how.stop.out_of_time

            done = mill.grind(
                stages,
                subject.network,
                case.threat,
                mine,
                table,
                chunk=how.images,
                after=after,
            )
        kept.save(table, how.shard)
        seconds = time.monotonic() - begun
        whole = kept.merged(how.shard[1])
        if whole is not None and mill.finished(whole, stages):
            result = _result(subject, case, whole, stages, how, seconds)
            kept.finish(whole, result)
    return done


def _result(
    subject: Subject,
    case: Case,
    table: Any,
    stages: list[Stage],
    how: How,
    seconds: float,
) -> dict[str, Any]:
    about = {
        "checkpoint": subject.name,
        "epoch": subject.epoch,
        "network": subject.digest,
        "attack": case.attack,
    }
    return (
        about
        | case.as_dict()
        | {
            "accuracy": mill.robust(table),
            "after": mill.accuracy_after(table, stages),
            "seconds": round(seconds, 2),
            "shards": how.shard[1],
            "environment": environment(
                device_name(how.device), torch.get_num_threads()
            ),
        }
    )


def _left(table: Any, stages: list[Stage]) -> float:
    """Return the passes that are left at most, for the meter."""
    costs = np.array([stage.cost for stage in stages] + [0.0])
    to_come = costs[::-1].cumsum()[::-1]
    alive = table[table["fooled_by"] == ""]
    return float(to_come[alive["stages"].to_numpy()].sum())


def _pgd_maker(case: Case, how: How, batch: int) -> Callable[..., PGD]:
    """Return PGD, or its compiled form where that pays."""
    steps = case.number if case.kind in ("pgd", "cw") else 0
    made, _ = choose_engine(how.engine, case.n * steps * case.restarts, how.device)
    if made == "eager":
        return PGD
    captured = how.device.type == "cuda"
    return partial(CompiledPGD, batch=batch, captured=captured)
