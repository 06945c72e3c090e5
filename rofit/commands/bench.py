"""`rofit bench`: what steps, diagnostics and evaluations cost."""

from typing import Any

import click

from rofit.commands.answers import answer
from rofit.commands.flags import with_flags
from rofit.commands.session import Session


@click.command()
@click.argument("tables", nargs=-1)
@click.option("--model", "models", multiple=True, help="A network (rofit list).")
@click.option("--batch-size", type=click.IntRange(2, 65_536), help="Images a step.")
@click.option(
    "--rounds", type=click.IntRange(2, 1000), default=5, help="Of each way [5]."
)
@click.option("--engine", default="auto", help="auto, compiled or eager [auto].")
@click.option("--run", "text", default="", help="Network for the table library.")
@click.option("--n", type=click.IntRange(1, 10**9), default=64, help="Its images [64].")
@with_flags("store", "data", "device", "as_json", "debug")
def bench(session: Session, tables: tuple[str, ...], text: str, **options: Any) -> None:
    """Time the field's step against rofit's, side by side in one process.

    TABLES: layers, speed, parity, profile (where a step's time goes), methods,
    diagnostics, evaluation, growth, library (AutoAttack on a trained run) [speed
    parity].
    """
    from rofit.bench.tables import bench as measure
    from rofit.running.checkpoints import checkpoint_files, load_checkpoint
    from rofit.running.components import find_device

    device = find_device(session.flags.device)
    network = None
    if text:
        (path,) = checkpoint_files(session.store, text, ("last",))
        network = load_checkpoint(path, data=session.places.data, device=device)
    rows = measure(
        tables or ("speed", "parity"), device=device, network=network, **options
    )
    answer(rows, session.flags.as_json)
