"""`rofit.train`: runs by their specs, what they learn from first."""

import time
import warnings
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from rofit.diagnostics import DIAGNOSTICS, find_diagnostic
from rofit.distributed.launch import launched
from rofit.distributed.ranks import joined
from rofit.errors import Remark, UserError
from rofit.methods.resolve import all_teachers, resolve
from rofit.running.components import check_devices
from rofit.running.jobs import work_all
from rofit.running.training_job import TrainingJob
from rofit.settings.spec import RunSpec
from rofit.store.environment import changes_since
from rofit.store.moves import set_aside
from rofit.store.places import Places
from rofit.store.rows import require_log
from rofit.store.runs import RunFolder, RunStore
from rofit.training.stop import minutes_left


def train(
    *specs: RunSpec,
    store: str | Path | None = None,
    data: str | Path | None = None,
    diagnostics: Collection[str] = tuple(DIAGNOSTICS),
    required: Collection[str] = (),
    keep: Collection[int] = (),
    device: str = "auto",
    engine: str = "auto",
    jobs: int = 1,
    devices: Sequence[str] = (),
    max_minutes: float | None = None,
    deterministic: bool = False,
    again: bool = False,
    log_to: Collection[str] = (),
    console: Console | None = None,
) -> list[RunFolder]:
    """Train the runs that are not done, from their last checkpoint on.

    The runs that a method learns from (teachers) are trained first. SIGINT and SIGTERM
    stop at the end of a step, with a checkpoint. Processes that torchrun has started
    train each run together, its batches split among them.

    Args:
        specs: the runs, in order.
        store: folder of runs; ``runs``, or that of ``$ROFIT_HOME``, where None.
        data: folder of data sets; ``data`` likewise.
        diagnostics: names of what is measured while they train, as far as a run allows.
        required: names among these without which no run begins.
        keep: epochs whose weights are kept, besides best and last.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        engine: ``auto``, ``compiled`` or ``eager``.
        jobs: runs side by side, each in a process of its own, on one device.
        devices: names (``cuda:0``, ``cuda:1``) to spread the runs over, one a device,
            the next where one is free; in place of device and jobs.
        max_minutes: then stop at an epoch's end; no limit where None.
        deterministic: the same bits twice on a GPU too.
        again: train anew what is done; the old run is kept in ``<store>/earlier``.
        log_to: sinks that are fed while they train, ``NAME`` or ``NAME:WHERE``.
        console: where progress is shown; nowhere where None.

    Returns:
        The folders of *specs*, whose ``state`` is ``done`` where the run is.

    Raises:
        UserError: a name or number that cannot be used, data that are not there, a run
            that another process holds, or one whose log has lost rows.
        Diverged: loss, weights or predictions became NaN or infinite.
        RankLost: another of the processes that train together has ended.

    Warns:
        UserWarning: a run is done, and the code of its method has changed since; or a
            sink has failed.

    Examples:
        ``(run,) = rofit.train(rofit.RunSpec(method="sgls", dataset="digits"))``
    """
    check_devices(devices)
    places = Places.given(store)
    folders = RunStore(places.store)
    begun = time.monotonic()
    if launched() and (jobs > 1 or devices):
        raise UserError(
            "under torchrun runs are trained one by one: leave --jobs and --devices out"
        )
    with joined(gpu=device != "cpu" and torch.cuda.is_available()) as ranks:
        phases = ranks.share(
            training_jobs(
                *specs,
                store=folders,
                data=Path(data) if data else places.data,
                diagnostics=diagnostics,
                required=required,
                keep=keep,
                again=again,
                device=device,
                engine=engine,
                deterministic=deterministic,
                log_to=log_to,
                quiet=console is None,
            )
            if ranks.first
            else None
        )
        for phase in phases:
            minutes = minutes_left(max_minutes, begun)
            own = [replace(job, ranks=ranks) for job in phase]
            shown = console or Console(stderr=True)
            if not work_all(own, jobs, minutes, shown, devices, ranks):
                break
    return [folders.folder(resolve(spec).run_id) for spec in specs]


def training_jobs(
    *specs: RunSpec,
    store: RunStore,
    diagnostics: Collection[str],
    required: Collection[str] = (),
    keep: Collection[int] = (),
    again: bool = False,
    log_to: Collection[str] = (),
    **settings: Any,
) -> tuple[list[TrainingJob], list[TrainingJob]]:
    """Return the jobs of the runs that are not done: teachers, then the others.

    Args:
        specs: the runs, in order.
        store: where they are.
        diagnostics: names of what is measured, as far as a run allows.
        required: names among these without which none of *specs* begins.
        keep: epochs whose weights are kept of *specs*.
        again: set aside those of *specs* that are done.
        log_to: sinks.
        **settings: the other fields of TrainingJob.

    Raises:
        UserError: as `train`.

    Warns:
        UserWarning: a run is done, and the code of its method has changed since.
    """
    from rofit.sinks import check_sinks

    for name in {*diagnostics, *required}:
        find_diagnostic(name)
    specs = tuple(resolve(spec) for spec in specs)
    check_kept(specs, keep)
    check_sinks(log_to)
    for spec in specs:
        folder = store.folder(spec.run_id)
        if folder.state == "done" and again:
            set_aside(store, spec.run_id)
        elif folder.state == "done":
            require_log(folder, spec.epochs)
            if changed := changes_since(folder, spec):
                warnings.warn(
                    f"{spec.run_id} is done, by other code: {', '.join(changed)}; "
                    f"rofit train --spec {folder.path}/spec.json --again trains it "
                    "anew and keeps the old one",
                    category=Remark,
                    stacklevel=3,
                )

    def jobs_of(runs: Sequence[RunSpec], needed: Collection[str]) -> list[TrainingJob]:
        return [
            TrainingJob(
                spec,
                store.folder(spec.run_id),
                tuple(diagnostics),
                tuple(needed),
                keep=frozenset(keep) if spec in specs else frozenset(),
                log_to=tuple(log_to),
                label=f"{number}/{len(runs)} {spec.method} seed {spec.seed}",
                **settings,
            )
            for number, spec in enumerate(runs, start=1)
        ]

    def undone(runs: Iterable[RunSpec]) -> list[RunSpec]:
        return [s for s in runs if store.folder(s.run_id).state != "done"]

    teachers = undone(all_teachers(undone(specs)))
    students = [spec for spec in undone(specs) if spec not in teachers]
    return jobs_of(teachers, ()), jobs_of(students, required)


def check_kept(specs: Iterable[RunSpec], keep: Collection[int]) -> None:
    """Raise UserError for an epoch to keep that a run does not have."""
    for spec in specs:
        for epoch in keep:
            if not 1 <= epoch <= spec.epochs:
                raise UserError(
                    f"an epoch to keep must be from 1 to {spec.epochs}, got {epoch}"
                )
