"""The commands that measure: networks that are trained, and rofit itself."""

from typing import Any

import click

from rofit.commands.answers import answer, unfinished
from rofit.commands.flags import taking
from rofit.commands.session import Session


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
@click.option(
    "--precision",
    type=click.Choice(["fp32", "tf32"]),
    default="fp32",
    help="tf32 is for GPUs, and named in results [fp32].",
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
    """Evaluate runs or checkpoint files, and check for masked gradients.

    What is there is not made again; what was interrupted goes on. [clean, pgd20,
    autoattack, of best and last]
    """
    from rofit.commands.examination import Asked, examine  # imports torch

    found, done = examine(session, targets, Asked(**asked))
    answer(found, session.flags.as_json)
    return 0 if done or session.flags.dry_run else unfinished()


@click.command()
@click.argument("tables", nargs=-1)
@click.option("--model", "models", multiple=True, help="A network (rofit list).")
@click.option("--batch-size", type=click.IntRange(2), help="Images a step.")
@click.option("--rounds", type=click.IntRange(2), default=5, help="Of each way [5].")
@click.option("--engine", default="auto", help="auto, compiled or eager [auto].")
@click.option("--run", "text", default="", help="Network for the table library.")
@click.option("--n", type=click.IntRange(1), default=64, help="Its images [64].")
@taking("store", "data", "device", "as_json", "debug")
def bench(session: Session, tables: tuple[str, ...], text: str, **asked: Any) -> None:
    """Time the field's step against rofit's, side by side in one process.

    TABLES: layers, speed, parity, profile (where a step's time goes), methods,
    diagnostics, evaluation, growth, library (AutoAttack on a trained run) [speed
    parity].
    """
    from rofit.bench.tables import bench as measure
    from rofit.commands.examination import one
    from rofit.running.parts import find_device

    device = find_device(session.flags.device)
    subject = one(session, text, device) if text else None
    wanted = tables or ("speed", "parity")
    found = measure(wanted, device=device, subject=subject, **asked)
    answer(found, session.flags.as_json)
