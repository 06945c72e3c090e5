"""The jobs of an analysis: what `rofit.reproduction.reproduce` would do here itself."""

from typing import TYPE_CHECKING, Any

from rofit.reproduction import catalog
from rofit.reproduction.available import available
from rofit.reproduction.plan import Request
from rofit.reproduction.reproduce import check_diagnostics
from rofit.settings.scales import find_scale
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunStore

if TYPE_CHECKING:
    from rofit.running.evaluation_jobs import EvaluationJob
    from rofit.running.training_job import TrainingJob


def jobs_of(
    request: Request,
    specs: list[RunSpec],
    store: RunStore,
    *,
    log_to: tuple[str, ...],
    **settings: Any,
) -> "tuple[list[TrainingJob], list[EvaluationJob]]":
    """Return what an analysis lacks: trainings, teachers first, and evaluations.

    The evaluations are of runs that may not be trained yet. An analysis that times
    steps has neither.

    Args:
        request: the analysis and its size.
        specs: the runs of its plan.
        store: where runs are.
        log_to: sinks that are fed while the runs train.
        **settings: ``data``, ``device``, ``engine``, ``quiet`` of both kinds of jobs
            and ``deterministic`` of trainings.

    Raises:
        NothingToDraw: none of its data are there.
        UserError: the request cannot be carried out.
    """
    from rofit.diagnostics import DIAGNOSTICS
    from rofit.methods.resolve import resolve
    from rofit.running.evaluation_jobs import evaluation_jobs
    from rofit.running.train import training_jobs

    if catalog.is_timed(request.name):
        return [], []
    needed = catalog.load_analysis(request.name).DIAGNOSTICS
    specs, _ = available(request, list(map(resolve, specs)), store, settings["data"])
    check_diagnostics([store.folder(spec.run_id) for spec in specs], needed)
    teachers, students = training_jobs(
        *specs,
        store=store,
        diagnostics=tuple(DIAGNOSTICS),
        required=needed,
        log_to=log_to,
        **settings,
    )
    del settings["deterministic"]
    attacks = catalog.evaluations(request.name, request.scale)
    longest = find_scale(request.scale).longest
    evaluated = evaluation_jobs(
        specs if attacks else [], store, attacks, longest=longest, **settings
    )
    return [*teachers, *students], evaluated
