"""`rofit.evaluate`: checkpoints under attacks, and checks for masked gradients."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from rofit.errors import UserError
from rofit.evaluation.cases import Case, read_cases
from rofit.measures.reported import references
from rofit.methods.resolve import described
from rofit.progress import meters
from rofit.running.checkpoints import (
    LoadedCheckpoint,
    checkpoint_files,
    is_file,
    load_checkpoint,
    require_file,
)
from rofit.running.checks import check, checked_threats, checks_file, read_checks
from rofit.running.components import find_device
from rofit.running.evaluator import (
    Execution,
    evaluate_cases,
    evaluation_name,
    missing,
)
from rofit.running.watched import Builder, find_builder
from rofit.settings.spec import RunSpec
from rofit.store.evaluations import Shard, evaluations
from rofit.store.places import Places
from rofit.store.runs import RunFolder, RunStore
from rofit.training.process import without_tf32
from rofit.training.stop import Stop

# A row a case; `evaluation` is its folder in the run's, `done` whether this shard is.
COLUMNS = (
    "folder checkpoint epoch network evaluation kind attack norm epsilon precision n "
    "accuracy seconds after left_out reference checks done"
).split()


def evaluate(
    *runs: str | Path,
    attacks: str | Iterable[str] = ("clean", "pgd20", "autoattack"),
    checkpoints: str | Iterable[str] = (),
    norm: str = "",
    epsilons: Iterable[float] = (),
    n: int = 0,
    seed: int = 0,
    source: str | Path = "",
    network: str | Builder = "",
    precision: str = "fp32",
    shard: Shard = (1, 1),
    batch_size: int = 0,
    store: str | Path | None = None,
    data: str | Path | None = None,
    device: str = "auto",
    engine: str = "auto",
    max_minutes: float | None = None,
    console: Console | None = None,
    dry_run: bool = False,
) -> pd.DataFrame:
    """Evaluate checkpoints on the test images of their runs, and keep the results.

    Results that exist are not made again; interrupted evaluations go on, image by
    image. The checks for masked gradients are made and kept too.

    Args:
        runs: ids of runs (or how they begin or end), or checkpoint files.
        attacks: a name or several, ``pgd20@4/255`` with a radius of its own.
        checkpoints: of runs; ``best`` and ``last`` where empty.
        norm: of the threat model; the run's where empty.
        epsilons: radii in input units; the run's where empty.
        n: number of test images, from the first on; all where 0.
        seed: of every draw.
        source: run (its last) or checkpoint file that ``transfer`` attacks.
        network: function that builds a watched run's, or ``FILE.py:FUNCTION``.
        precision: ``fp32``, or ``tf32`` on a GPU that has it.
        shard: (k, m): every m-th image from the k-th on.
        batch_size: images at a time; the device's usual number where 0.
        store: folder of runs; ``runs``, or that of ``$ROFIT_HOME``, where None.
        data: folder of data sets; ``data`` likewise.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        engine: ``auto``, ``compiled`` or ``eager``; for PGD and C&W.
        max_minutes: then stop after a batch; no limit where None.
        console: where progress is shown; nowhere where None.
        dry_run: only return the results that exist.

    Returns:
        `COLUMNS`, a row a case: accuracy a fraction in [0, 1], None until all shards
        are done; ``after`` has the accuracy after each attack of a cascade,
        ``left_out`` which of AutoAttack's is not defined for so few classes,
        ``reference`` what others published, ``checks`` the warnings of the threat
        model's checks. A checkpoint that was not reached has one row without an attack.

    Raises:
        UserError: no such run, checkpoint or attack, a number out of range, or TF32 on
            a device that has none.
    """
    _check_numbers(n, batch_size, shard)
    places, torch_device = Places.given(store), find_device(device)
    folders = RunStore(places.store)
    root = Path(data) if data else places.data
    if precision == "tf32" and without_tf32(torch_device):
        raise UserError(
            f"--precision tf32 needs a GPU that has it (Ampere or later), "
            f"got {torch_device}"
        )
    names = _tuple(attacks)
    if source and not any(n.startswith("transfer") for n in names):
        raise UserError("--from names the network of transfer: add --attack transfer")
    build = find_builder(network)
    load = partial(load_checkpoint, data=root, device=torch_device, build=build)
    of_source = checkpoint_files(folders, source, ("last",)) if source else []
    attacked_source = load(of_source[0]) if source else None
    checkpoint_names = _tuple(checkpoints)
    if checkpoint_names and any(is_file(run) for run in runs):
        raise UserError("--checkpoint is for runs; a file is one already")
    paths = [
        path
        for run in runs
        for path in checkpoint_files(folders, run, checkpoint_names)
    ]
    for path in paths:
        require_file(path)
    rows: list[dict[str, Any]] = []
    stopped = False
    with Stop(max_minutes) as stop:
        meter = meters(console, "")
        execution = Execution(torch_device, stop, meter, shard, batch_size, engine)
        for path in paths:
            if stopped:
                rows.append({"checkpoint": path.stem, "done": False})
                continue
            checkpoint = load(path)
            cases = read_cases(
                names,
                checkpoint.spec,
                n=_count(n, checkpoint),
                n_classes=checkpoint.n_classes,
                norm=norm,
                epsilons=epsilons,
                seed=seed,
                source=attacked_source.digest if attacked_source else "",
                precision=precision,
            )
            folder = _folder(folders, path, checkpoint.spec)
            if dry_run:
                done = not missing(checkpoint, folder, cases)
            else:
                _begin(folder, checkpoint.spec)
                done = evaluate_and_check(
                    checkpoint, folder, cases, execution, attacked_source
                )
            rows += evaluation_rows(checkpoint, folder, cases, done)
            stopped = stop.now or not (done or dry_run)
    return pd.DataFrame(rows, columns=COLUMNS)


def evaluate_and_check(
    checkpoint: LoadedCheckpoint,
    folder: RunFolder,
    cases: list[Case],
    execution: Execution,
    source: LoadedCheckpoint | None,
) -> bool:
    """Make the cases and checks that the folder lacks; say whether all is done.

    Checks are of the run's own threat model, or of those of the cases without it.
    """
    lacking = missing(checkpoint, folder, cases)
    if not evaluate_cases(checkpoint, folder, lacking, execution, source=source):
        return False
    for norm, epsilon in checked_threats(checkpoint.spec, cases):
        key = (norm, epsilon, cases[0].precision)
        if lacking or not checks_file(checkpoint, folder, *key).exists():
            check(checkpoint, folder, *key, shards=execution.shard[1])
    return True


def _tuple(names: str | Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _check_numbers(n: int, batch_size: int, shard: Shard) -> None:
    if n < 0 or batch_size < 0 or not 1 <= shard[0] <= shard[1]:
        raise UserError(
            "expected n and batch_size of 0 or more and shard (k, m) with k from 1 to "
            f"m, got {n}, {batch_size} and {shard}"
        )


def evaluation_rows(
    checkpoint: LoadedCheckpoint, folder: RunFolder, cases: list[Case], done: bool
) -> list[dict[str, Any]]:
    """Return a row of `COLUMNS` a case, by the results that the folder has."""
    results = {result["name"]: result for result in evaluations(folder)}
    spec, precision = checkpoint.spec, cases[0].precision
    checks = {
        threat: read_checks(checkpoint, folder, *threat, precision)
        for threat in checked_threats(spec, cases)
    }
    rows = []
    for case in cases:
        name = evaluation_name(checkpoint, case)
        result = results.get(name, {})
        ball = (spec if case.kind == "clean" else case).threat
        columns = {
            "folder": folder.path,
            "checkpoint": checkpoint.name,
            "epoch": checkpoint.epoch,
            "network": checkpoint.digest,
            "evaluation": name,
            "attack": case.attack,
            "reference": references(spec, checkpoint.name, case.attack, case.threat),
            "checks": checks.get((ball.norm, ball.epsilon)),
            "done": done or bool(result),
        }
        measured = {k: result.get(k) for k in "accuracy seconds after left_out".split()}
        rows.append(columns | case.as_dict() | measured)
    return rows


def _folder(store: RunStore, path: Path, spec: RunSpec) -> RunFolder:
    """Return the run's folder that the file is in, or its like in the store."""
    run = RunFolder(path.resolve().parent.parent)
    is_named = run.path.name == spec.run_id or (run.state != "missing" and run.source)
    if path.parent.name == "checkpoints" and is_named:
        return run
    return store.folder(spec.run_id)


def _begin(folder: RunFolder, spec: RunSpec) -> None:
    """Make the folder of a run that is known by a checkpoint file alone."""
    if folder.state == "missing":
        with folder.opened(described(spec)):
            pass


def _count(n: int, checkpoint: LoadedCheckpoint) -> int:
    available = len(checkpoint.images.y)
    if n > available:
        raise UserError(
            f"the run has {available} test images; --n must not be more, got {n}"
        )
    return n or available
