"""`rofit train`: one run, or one a seed, from flags, a recipe or a spec.json."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from rofit.commands import inventory
from rofit.commands.answers import answer, unfinished
from rofit.commands.cluster import Cluster, job_settings, with_cluster
from rofit.commands.flags import with_training_flags
from rofit.commands.session import Session
from rofit.distributed.launch import is_first
from rofit.errors import UserError
from rofit.settings.knobs import parse_value
from rofit.settings.recipes import AS_RELEASED, FIGURES, find_recipe
from rofit.settings.scales import find_scale
from rofit.settings.spec import RunSpec
from rofit.store.stored_spec import read_spec

_EPOCH = click.IntRange(0, 1_000_000)
_NO_RECIPE = f"shared by no figure: the runs of figures are of --recipe {FIGURES}"
_CHOICES = (
    click.option("--method", help="Training method (rofit list)."),
    click.option("--labels", help="Method whose label rule is taken."),
    click.option("--weights", help="Methods whose weight rules are taken: awp,swa."),
    click.option("--dataset", help="Data set (rofit data)."),
    click.option("--recipe", help="Published recipe, or as_released."),
)


def with_run_choices(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags that `spec_of` makes a run of."""
    for option in reversed(_CHOICES):
        command = option(command)
    return command


@click.command()
@with_run_choices
@click.option("--spec", "file", type=Path, help="A spec.json to begin from.")
@click.option("--keep", multiple=True, type=_EPOCH, help="Keep this epoch's weights.")
@click.option("--watch", multiple=True, help="Diagnostic [all].")
@click.option("--again", is_flag=True, help="Anew if done; the old one is kept.")
@with_training_flags
@with_cluster
def train(
    session: Session,
    cluster: Cluster | None,
    file: Path | None,
    again: bool,
    keep: tuple[int, ...],
    watch: tuple[str, ...],
    recipe: str | None,
    **choices: str | None,
) -> int:
    """Train one run (or one a seed) from flags, a recipe or a spec.json."""
    from rofit.running import train as training

    diagnostics = inventory.diagnostics(watch)
    specs = specs_of(session, file, recipe=recipe, **choices)
    training.check_kept(specs, keep)
    if is_first() and (session.flags.scale or not file) and not session.flags.as_json:
        copies = {copy.name: copy.shown_as for copy in session.data}
        datasets = (copies.get(spec.dataset, spec.dataset) for spec in specs)
        text = session.scale_text(datasets, seeds=len(specs), takes="")
        click.echo(text if recipe or file else f"{text}; {_NO_RECIPE}")
    if not session.flags.dry_run:
        options = {"diagnostics": diagnostics, "required": watch}
        train_missing(session, cluster, specs, **options, keep=keep, again=again)
    folders = [session.store.folder(spec.run_id) for spec in specs]
    rows = inventory.run_rows(list(zip(folders, specs, strict=True)))
    if is_first():
        answer({"runs": rows}, session.flags.as_json)
    done = all(folder.state == "done" for folder in folders)
    return 0 if session.flags.dry_run or done else unfinished()


def train_missing(
    session: Session, cluster: Cluster | None, specs: Sequence[RunSpec], **options: Any
) -> None:
    """Train the runs that are not done, here or on a cluster.

    Args:
        session: the flags.
        cluster: takes the jobs, if there is one.
        specs: the runs.
        **options: of `rofit.train` that are no flags of all commands.
    """
    from rofit.running import train as training

    flags = session.flags
    options |= {"log_to": flags.log_to, "deterministic": flags.deterministic}
    if cluster is None:
        options |= {"jobs": flags.jobs, "devices": session.devices}
        training.train(*specs, **options, **session.execution())
        return
    from rofit.cluster.tasks import training_tasks

    teachers, students = training.training_jobs(
        *specs, store=session.store, **options, **job_settings(session)
    )
    gpus = cluster.slurm.settings.gpus
    cluster.work(training_tasks([*teachers, *students], gpus))


def specs_of(
    session: Session, file: Path | None, **choices: str | None
) -> list[RunSpec]:
    """Return the runs that the flags name, one a seed."""
    spec = spec_of(session, file, {}, **choices)
    if session.flags.seeds is None:
        return [spec]
    if "seed" in session.typed:
        raise UserError("--seeds and --set seed exclude each other: give one")
    return [spec.replace(seed=seed) for seed in range(session.flags.seeds)]


def spec_of(
    session: Session,
    file: Path | None,
    changes: dict[str, str],
    *,
    method: str | None,
    labels: str | None,
    weights: str | None,
    dataset: str | None,
    recipe: str | None,
) -> RunSpec:
    """Return the run that the flags name, with *changes* in place of ``--set``'s.

    A spec.json is taken as it is unless a scale is named.
    """
    from rofit.methods.resolve import override, resolve

    typed = session.typed | changes
    spec = read_spec(file).spec if file else RunSpec()
    scaled = session.flags.scale or not file
    if recipe:
        spec = _under(recipe, spec, typed.get("method") or method)
    if scaled:
        named_dataset = dataset or "dataset" in typed
        spec = _scaled(session, spec, named_dataset=bool(named_dataset))
    if len(session.data) > 1:
        raise UserError("a run is of one data set: give --data once")
    for copy in session.data:
        spec = spec.replace(dataset=copy.name, dataset_digest=copy.digest)
    named = {"method": method, "dataset": dataset, "labels_from": labels}
    spec = spec.replace(**{k: v for k, v in named.items() if v})
    if weights:
        methods = parse_value("weights", weights, tuple[str, ...])
        spec = spec.replace(weights_from=methods)
    settings = (session.settings if scaled else typed) | changes
    if recipe == AS_RELEASED:  # which is of the method, and has its parameters
        settings.pop("method", None)
    return override(resolve(spec), settings)


def _under(recipe: str, spec: RunSpec, method: str | None) -> RunSpec:
    """Return *spec* under a recipe; as_released is of *method*, if one is named."""
    from rofit.methods.released import as_released

    if recipe != AS_RELEASED:
        return find_recipe(recipe).apply(spec)
    if method and method != spec.method:
        spec = spec.replace(method=method, method_params=())
    return as_released(spec)


def _scaled(session: Session, spec: RunSpec, *, named_dataset: bool) -> RunSpec:
    """Return *spec* at the scale; its data set stays if torchvision's folder has it.

    Raises:
        UserError: the folder has others, none is named, and the scale's would be taken.
    """
    scale = find_scale(session.scale)
    scale_dataset = scale.changes.get("dataset")
    if not session.known or not scale_dataset or named_dataset:
        return scale.apply(spec)
    if spec.dataset not in session.known:
        raise UserError(
            f"scale {session.scale} is of {scale_dataset}, and the folder of --data "
            f"holds {', '.join(session.known)}; name one by --dataset, or leave --data "
            "out"
        )
    return scale.apply(spec, but={"dataset"})
