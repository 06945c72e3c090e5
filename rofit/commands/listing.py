"""`rofit list`, `status`, `show` and `data`: what there is, and what is done."""

import click

from rofit.commands import inventory, terminal
from rofit.commands.answers import answer, say
from rofit.commands.flags import with_all_flags
from rofit.commands.session import Session


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def list_(as_json: bool, debug: bool) -> None:
    """Say what there is: analyses, methods, data sets, models, scales ..."""
    answer(inventory.everything(), as_json)


@click.command()
@with_all_flags
def status(session: Session) -> None:
    """Say what is done, partial and missing."""
    answer(inventory.status(session), session.flags.as_json)


@click.command()
@click.argument("text", metavar="RUN")
@with_all_flags
def show(session: Session, text: str) -> None:
    """Show one run: spec, robust-accuracy curve, best / last / gap, evaluations."""
    folder = session.store.find(text)
    sections, logs = inventory.run_details(folder)
    if session.flags.as_json:
        return answer(sections, True)
    if sections["spec"]:
        say(terminal.listing(folder.path.name, sections["spec"]))
    else:
        say(f"{folder.path.name}: every field has its default", highlight=False)
    if sections["run"]["last"] is not None:
        say(terminal.robust_curve(logs), markup=False, highlight=False)
        say(terminal.best_last_gap_text(logs), highlight=False)
    elif len(logs):
        say("no robust accuracies of test images by epoch")
    else:
        say("no epoch is finished yet")
    if sections["evaluations"]:
        say(terminal.listing("evaluations", sections["evaluations"]))


@click.command()
@click.argument("name", required=False)
@click.option("--fetch", is_flag=True, help="Download it, or decode the archive.")
@with_all_flags
def data(session: Session, name: str | None, fetch: bool) -> None:
    """Say where data sets are looked for and what is there; fetch one."""
    answer(inventory.data(session, name, fetch), session.flags.as_json)
