"""Evaluations of a network, made and kept: results that exist are not made again."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from rofit.attacks.compiled import CompiledPGD
from rofit.attacks.pgd import PGD
from rofit.errors import UserError, is_out_of_memory
from rofit.evaluation import verdicts
from rofit.evaluation.accuracy import CHUNK
from rofit.evaluation.cases import Case
from rofit.evaluation.stages import left_out, make_stages
from rofit.evaluation.verdicts import Stage
from rofit.evaluation.wrappers import fill_limit
from rofit.progress import Meter
from rofit.running.checkpoints import Checkpoint, LoadedCheckpoint
from rofit.running.components import device_name
from rofit.store.environment import environment
from rofit.store.evaluations import EvaluationFolder, Shard, evaluations, read_verdicts
from rofit.store.runs import RunFolder
from rofit.training.engine import choose_engine
from rofit.training.process import prepare
from rofit.training.stop import Stop
from rofit.writing import NotWritten


@dataclass(frozen=True)
class Execution:
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


def evaluate_cases(
    checkpoint: LoadedCheckpoint,
    folder: RunFolder,
    cases: Iterable[Case],
    execution: Execution,
    *,
    source: LoadedCheckpoint | None = None,
) -> bool:
    """Make the evaluations that the folder lacks; say whether this share is done.

    Args:
        checkpoint: the network.
        folder: of its run: where verdicts go after every batch.
        cases: the evaluations.
        execution: device, engine, share of the work, when to stop.
        source: the network that ``transfer`` attacks.

    Raises:
        UserError: another process evaluates it, an attack cannot be made here, or the
            GPU has too little memory.
        NotWritten: the disk takes no more verdicts.
    """
    for case in missing(checkpoint, folder, cases):
        prepare(case.precision)
        evaluation = EvaluationFolder(folder, evaluation_name(checkpoint, case))
        if same_weights := _of_same_weights(checkpoint, folder, case):
            evaluation.make()
            table = read_verdicts(folder, same_weights.pop("name"))
            identity = {"checkpoint": checkpoint.name, "epoch": checkpoint.epoch}
            evaluation.finish(table, same_weights | identity)
            continue
        try:
            if not _evaluate_one(checkpoint, evaluation, case, execution, source):
                return False
        except NotWritten as error:
            kept = "none" if evaluation.load(execution.shard) is None else "those"
            raise NotWritten(
                f"{error}; of the verdicts {kept} so far are kept: the same command "
                "goes on"
            ) from None
        except (RuntimeError, MemoryError, OSError) as error:
            if not is_out_of_memory(error):
                raise
            raise UserError(
                f"{execution.device} has too little memory for {execution.images} "
                "images at a time: free it, or take fewer (rofit eval --batch-size "
                f"{execution.images // 2}); the verdicts so far are kept"
            ) from None
    return True


def missing(
    checkpoint: Checkpoint, folder: RunFolder, cases: Iterable[Case]
) -> list[Case]:
    """Return the cases that the folder has no result of."""
    existing = {result["name"] for result in evaluations(folder)}
    return [case for case in cases if evaluation_name(checkpoint, case) not in existing]


def evaluation_name(checkpoint: Checkpoint, case: Case) -> str:
    """Return the name of the folder that the case has in a run's."""
    return f"{checkpoint.name}-{case.key(checkpoint.digest)}"


def _of_same_weights(
    checkpoint: LoadedCheckpoint, folder: RunFolder, case: Case
) -> dict[str, Any] | None:
    """Return the result of another checkpoint with the same weights, if there is one.

    Where the last epoch is the best, they are one network.
    """
    end = f"-{case.key(checkpoint.digest)}"
    results = evaluations(folder)
    return next((result for result in results if result["name"].endswith(end)), None)


def _evaluate_one(
    checkpoint: LoadedCheckpoint,
    evaluation: EvaluationFolder,
    case: Case,
    execution: Execution,
    source: LoadedCheckpoint | None,
) -> bool:
    images = checkpoint.images.first(case.n).share(*execution.shard)
    stages = make_stages(
        case,
        checkpoint.network,
        n_classes=checkpoint.n_classes,
        make_pgd=_pgd_maker(case, execution, min(execution.images, len(images.y))),
        source=source.network if source else None,
        filled_to=fill_limit(execution.images, execution.device),
    )
    with evaluation.opened(execution.shard):
        table = evaluation.load(execution.shard)
        if table is None:
            table = verdicts.unattacked(images)
        label = f"{checkpoint.name} {case.attack} {case.threat}"
        begun = time.monotonic()
        with execution.meter(label, _passes_left(table, stages)) as meter:

            def after(table: Any, stage: Stage, images: int) -> bool:
                evaluation.save(table, execution.shard)
                meter.show(
                    _passes_left(table, stages),
                    f"{(table['fooled_by'] == '').mean():.1%}",
                )
                return execution.stop.now or execution.stop.out_of_time

            done = verdicts.run_stages(
                stages,
                checkpoint.network,
                case.threat,
                images,
                table,
                chunk=execution.images,
                after=after,
            )
        evaluation.save(table, execution.shard)
        seconds = time.monotonic() - begun
        whole = evaluation.merged(execution.shard[1])
        if whole is not None and verdicts.finished(whole, stages):
            result = _result(checkpoint, case, whole, stages, execution, seconds)
            evaluation.finish(whole, result)
    return done


def _result(
    checkpoint: LoadedCheckpoint,
    case: Case,
    table: Any,
    stages: list[Stage],
    execution: Execution,
    seconds: float,
) -> dict[str, Any]:
    identity = {
        "checkpoint": checkpoint.name,
        "epoch": checkpoint.epoch,
        "network": checkpoint.digest,
        "attack": case.attack,
    }
    return (
        identity
        | left_out(case, checkpoint.n_classes)
        | case.as_dict()
        | {
            "accuracy": verdicts.robust_accuracy(table),
            "after": verdicts.accuracy_after(table, stages),
            "seconds": round(seconds, 2),
            "shards": execution.shard[1],
            "environment": environment(
                device_name(execution.device), torch.get_num_threads()
            ),
        }
    )


def _passes_left(table: Any, stages: list[Stage]) -> float:
    """Return the passes that are left at most, for the meter."""
    costs = np.array([stage.cost for stage in stages] + [0.0])
    remaining = costs[::-1].cumsum()[::-1]
    robust = table[table["fooled_by"] == ""]
    return float(remaining[robust["stages"].to_numpy()].sum())


def _pgd_maker(case: Case, execution: Execution, batch: int) -> Callable[..., PGD]:
    """Return PGD, or its compiled form where that pays."""
    steps = case.number if case.kind in ("pgd", "cw") else 0
    chosen, _ = choose_engine(
        execution.engine, case.n * steps * case.restarts, execution.device
    )
    if chosen == "eager":
        return PGD
    captured = execution.device.type == "cuda"
    return partial(CompiledPGD, batch=batch, captured=captured)
