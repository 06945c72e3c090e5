"""The commands that measure: networks that are trained, and rofit itself."""

from typing import Any

import click

from rofit.answers import answer, unfinished
from rofit.flags import taking
from rofit.session import Session


@click.command("eval")
@click.argument("targets", metavar="RUN|CHECKPOINT", nargs=-1, required=True)
@click.option(
    "--attack", "attacks", multiple=True, help="pgd20,cw,autoattack ... (rofit list)."
)
@click.option("--checkpoint", "checkpoints", multiple=True, help="[best and last].")
@click.option("--epsilon", "epsilons", default="", help="Radii: 0.5/255,8/255 [run's].")
@click.option("--norm", default="", help="linf or l2 [the run's].")
@click.option("--n", type=click.IntRange(0), default=0, help="Test images [all].")
@click.option("--shard", default="", metavar="K/N", help="Only this share of them.")
@click.option("--from", "source", default="", help="Run that transfer attacks.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Of the draws [0].")
@click.option(
    "--batch-size", type=click.IntRange(0), default=0, help="Images at a time."
)
@taking(
    "store",
    "data",
    "device",
    "engine",
    "dry_run",
    "max_minutes",
    "as_json",
    "quiet",
    "debug",
)
def eval_(session: Session, targets: tuple[str, ...], **asked: Any) -> int:
    """Evaluate runs, or checkpoint files: attacks, and checks for masked gradients.

    What is there is not made again; what was interrupted goes on. [clean, pgd20,
    autoattack, of best and last]
    """
    from rofit.examination import Asked, examine  # imports torch

    found, done = examine(session, targets, Asked(**asked))
    answer(found, session.flags.as_json)
    return 0 if done or session.flags.dry_run else unfinished()


@click.command()
@click.argument("tables", nargs=-1)
@click.option("--model", "models", multiple=True, help="A network (rofit list).")
@click.option("--batch-size", type=click.IntRange(2), help="Images a step.")
@click.option("--rounds", type=click.IntRange(2), default=5, help="Of each way [5].")
@click.option("--engine", default="auto", help="auto, compiled or eager [auto].")
@click.option("--device", default="auto", help="auto, cpu, cuda or cuda:N [auto].")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def bench(
    tables: tuple[str, ...], device: str, as_json: bool, debug: bool, **asked: Any
) -> None:
    """Time the field's step against rofit's, side by side in one process.

    TABLES: layers, speed, parity, methods, diagnostics, evaluation, growth
    [speed parity].
    """
    from rofit.bench.tables import bench as measure
    from rofit.parts import find_device

    wanted = tables or ("speed", "parity")
    answer(measure(wanted, device=find_device(device), **asked), as_json)
