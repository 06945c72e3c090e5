"""`rofit rm` and `rofit rename`: runs that are not needed, or need another name."""

import sys

import click

from rofit.commands.answers import say
from rofit.commands.completion import complete_runs
from rofit.commands.flags import with_flags
from rofit.commands.session import Session
from rofit.errors import UserError


@click.command()
@click.argument(
    "texts", metavar="RUN", nargs=-1, required=True, shell_complete=complete_runs
)
@click.option("--yes", is_flag=True, help="Without asking.")
@with_flags("store", "debug")
def rm(session: Session, texts: tuple[str, ...], yes: bool) -> int:
    """Remove runs: logs, checkpoints, evaluations.

    Asks first. What was published of them stays.
    """
    from rofit.store.moves import remove

    folders = {session.store.find(text).path: text for text in texts}
    names = ", ".join(path.name for path in folders)
    if not yes:
        if not sys.stdin.isatty():
            raise UserError(f"nobody is there to be asked about {names}: add --yes")
        if not click.confirm(f"remove {names} for good?", err=True):
            return 1
    for path in folders:
        remove(session.store, path.name)
        say(f"removed {path}", soft_wrap=True, highlight=False)
    return 0


@click.command()
@click.argument("text", metavar="RUN", shell_complete=complete_runs)
@click.argument("name", metavar="NAME")
@with_flags("store", "debug")
def rename(session: Session, text: str, name: str) -> None:
    """Give an imported or watched run another name.

    Names of rofit's own runs follow from their settings.
    """
    from rofit.store.moves import rename as rename_folder

    new = rename_folder(session.store, session.store.find(text), name)
    say(f"renamed to {new.path}", soft_wrap=True, highlight=False)
