"""`rofit run` and `rofit reproduce`: analyses, by name or by the paper's numbers."""

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from rofit.commands import inventory
from rofit.commands.answers import answer, say, say_claims, unfinished
from rofit.commands.cluster import Cluster, job_settings, with_cluster
from rofit.commands.flags import with_all_flags
from rofit.commands.session import Session
from rofit.errors import NothingToDraw, UserError
from rofit.measures.claims import from_plain
from rofit.reproduction import catalog
from rofit.reproduction.beside import check_beside
from rofit.reproduction.cost import cost
from rofit.reproduction.jobs import jobs_of
from rofit.reproduction.plan import Request, dataset_names, plan
from rofit.reproduction.publish import read_result
from rofit.reproduction.reproduce import redraw, reproduce
from rofit.settings.scales import find_scale
from rofit.settings.spec import RunSpec

if TYPE_CHECKING:
    from rofit.cluster.tasks import Task

_NUMBER = click.IntRange(0, 1000)
_beside = click.option(
    "--beside", multiple=True, metavar="RUN", help="Draw a run of others beside ours."
)


@click.command("run")
@click.argument("names", nargs=-1, required=True)
@_beside
@with_all_flags
@with_cluster
def run(
    session: Session,
    cluster: Cluster | None,
    names: tuple[str, ...],
    beside: tuple[str, ...],
) -> int:
    """Train the runs an analysis needs, then its table, picture and claims."""
    return _reproduce_all(session, list(names), beside, cluster)


@click.command("reproduce")
@click.option("--figure", "figures", type=_NUMBER, multiple=True, help="By its number.")
@click.option("--table", "tables", type=_NUMBER, multiple=True, help="By its number.")
@click.option("--all", "everything", is_flag=True, help="Every analysis there is.")
@_beside
@with_all_flags
@with_cluster
def reproduce_(
    session: Session,
    cluster: Cluster | None,
    figures: tuple[int, ...],
    tables: tuple[int, ...],
    everything: bool,
    beside: tuple[str, ...],
) -> int:
    """Train the runs of a figure or table of the paper, by its number, and draw it."""
    names = catalog.analysis_names() if everything else []
    names += [n for k in figures for n in catalog.find_by_number("figure", k)]
    names += [n for k in tables for n in catalog.find_by_number("table", k)]
    if not names:
        raise UserError("name what to reproduce: --figure N, --table N or --all")
    return _reproduce_all(session, names, beside, cluster)


def _reproduce_all(
    session: Session,
    names: list[str],
    beside: tuple[str, ...],
    cluster: Cluster | None,
) -> int:
    alone, as_json = len(names) == 1, session.flags.as_json
    plans: list[tuple[Request, list[RunSpec]]] = []
    others = tuple(session.store.find(text).path.name for text in beside)
    for name in names:
        request = replace(session.request(name), beside=others)
        check_beside(request)
        try:
            plans.append((request, plan(request)))
        except NothingToDraw as error:
            _leave_out(NothingToDraw(f"{name}: {error}"), alone=alone)
    if not as_json:
        names = [n for planned in plans for n in dataset_names(*planned)]
        scale = find_scale(session.scale)
        seeds = session.flags.seeds or scale.seeds
        click.echo(session.scale_text(names, seeds=seeds, takes=scale.takes))
    if session.flags.dry_run:
        rows = inventory.missing(
            {request.name: specs for request, specs in plans}, session.store
        )
        answer({"runs": rows}, as_json)
        if not as_json:
            click.echo(_cost(session, plans))
        return 0
    if cluster is not None and not session.flags.redraw:
        if not cluster.work(_tasks(session, plans, cluster)):
            return unfinished()
    results = []
    for request, specs in plans:
        try:
            if not _reproduce_one(session, request, specs):
                return unfinished()
        except NothingToDraw as error:
            _leave_out(error, alone=alone)
            continue
        results.append(read_result(request, session.places.results))
        if not as_json:
            _print_result(results[-1])
    if results and as_json:
        answer({"results": results}, as_json=True)
    return 0 if results else 2


def _reproduce_one(session: Session, request: Request, specs: list[RunSpec]) -> bool:
    if session.flags.redraw:
        redraw(request, session.places.results)
        return True
    return reproduce(
        request,
        specs,
        session.places.results,
        jobs=session.flags.jobs,
        devices=session.devices,
        log_to=session.flags.log_to,
        deterministic=session.flags.deterministic,
        execution=session.execution,
    )


def _cost(session: Session, plans: list[tuple[Request, list[RunSpec]]]) -> str:
    """Return what the missing runs will take, in one line."""
    from rofit.methods.resolve import all_teachers, resolve
    from rofit.running.components import device_name, find_device

    trained = [pair[1] for pair in plans if not catalog.is_timed(pair[0].name)]
    specs = [resolve(spec) for planned in trained for spec in planned]
    here = device_name(find_device(session.flags.device))
    runs = dict.fromkeys([*all_teachers(specs), *specs])
    return cost(runs, session.store, here).sentence(here)


def _tasks(
    session: Session, plans: list[tuple[Request, list[RunSpec]]], cluster: Cluster
) -> "list[Task]":
    """Return what the analyses lack, trainings first, as tasks of a cluster."""
    from rofit.cluster.tasks import evaluation_tasks, training_tasks

    trainings, evaluations = [], []
    for request, specs in plans:
        with suppress(NothingToDraw):  # said below
            jobs = jobs_of(
                request,
                specs,
                session.store,
                log_to=session.flags.log_to,
                deterministic=session.flags.deterministic,
                **job_settings(session),
            )
            trainings += jobs[0]
            evaluations += jobs[1]
    settings = cluster.slurm.settings
    tasks = training_tasks(trainings, settings.gpus)
    return tasks + evaluation_tasks(evaluations, settings.shards)


def _leave_out(error: NothingToDraw, *, alone: bool) -> None:
    """Say that one of several analyses cannot be drawn; raise if it is the only one."""
    if alone:
        raise error
    click.echo(f"rofit: left out: {error}", err=True)


def _print_result(result: dict[str, Any]) -> None:
    claims = [from_plain(claim) for claim in result["claims"]]
    title = f"{result['analysis']} ({result['paper']}), {result['size']}"
    say_claims(title, claims)
    for key in ("table", "shown"):
        say(f"{key:8} {result[key]}", soft_wrap=True, highlight=False)
