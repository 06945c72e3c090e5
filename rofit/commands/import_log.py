"""`rofit import log`: text logs and tables of other programs, as runs beside ours."""

from pathlib import Path

import click

from rofit.commands import inventory
from rofit.commands.answers import answer
from rofit.commands.flags import with_flags
from rofit.commands.session import Session, notify
from rofit.errors import UserError


@click.command("log")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--method", help="What trained it, where the log does not say.")
@click.option("--dataset", help="Data set it learnt from, likewise.")
@click.option("--model", help="Network, likewise.")
@click.option("--epochs", help="Epochs that were planned, likewise.")
@click.option("--attack", default="", help="Attack of its tests: pgd20, likewise.")
@click.option(
    "--columns",
    "pairs",
    multiple=True,
    metavar="OURS=THEIRS",
    help="Of a table: test/pgd20/accuracy=NAME, epoch=NAME ...",
)
@with_flags("settings", "store", "as_json", "debug")
def log(
    session: Session,
    paths: tuple[str, ...],
    attack: str,
    pairs: tuple[str, ...],
    **choices: str | None,
) -> None:
    """Read logs of other programs into the store; what they do not say is unknown."""
    from rofit.interop.logs.importing import Supplied, import_log
    from rofit.interop.logs.tags import parse_columns
    from rofit.names import check_name

    named = {name: text for name, text in choices.items() if text is not None}
    if twice := set(named) & set(session.typed):
        raise UserError(f"--{min(twice)} and --set {min(twice)} say the same: give one")
    if attack:
        check_name("--attack", attack)
    supplied = Supplied(named | session.typed, attack, parse_columns(pairs))
    rows = []
    for path in paths:
        imported = import_log(Path(path), session.store, supplied)
        for remark in imported.remarks:
            notify(f"{imported.folder.path.name}: {remark}")
        source = imported.folder.source
        layout = source.layout if source else ""
        row = inventory.run_row(imported.folder, imported.folder.spec)
        row.pop("changed since")
        rows.append(row | {"layout": layout})
    answer({"runs": rows}, session.flags.as_json)
