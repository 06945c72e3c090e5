"""`rofit list`, `status`, `show` and `data`: what there is, and what is done.

pandas comes with what they show, so that the shell completes ids of runs without it.
"""

from typing import Any

import click

from rofit.commands import published
from rofit.commands.answers import answer, say, say_rows
from rofit.commands.completion import complete_runs
from rofit.commands.flags import with_flags
from rofit.commands.registries import KINDS
from rofit.commands.session import Session
from rofit.settings.threat import radius_text

_BY_WORD = {kind.replace(" ", ""): kind for kind in KINDS}


@click.command("list")
@click.argument("kinds", metavar="[KIND]...", nargs=-1, type=click.Choice([*_BY_WORD]))
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def list_(kinds: tuple[str, ...], as_json: bool, debug: bool) -> None:
    """Say what there is of each KIND.

    Kinds are analyses, methods, datasets, models, diagnostics, attacks, augmentations,
    schedules, sinks, recipes and scales. [all]
    """
    chosen = [_BY_WORD[word] for word in dict.fromkeys(kinds)] or [*KINDS]
    answer({kind: KINDS[kind]() for kind in chosen}, as_json)


@click.command()
@with_flags("scale", "settings", "seeds", "store", "data", "as_json", "debug")
def status(session: Session) -> None:
    """Say what is done, partial and missing.

    Of the runs in the store, and of those that analyses need at the scale.
    """
    from rofit.commands import inventory

    answer(inventory.status(session), session.flags.as_json)


@click.command()
@click.argument("text", metavar="RUN", shell_complete=complete_runs)
@with_flags("store", "as_json", "debug")
def show(session: Session, text: str) -> None:
    """Show one run: state, spec, robust accuracy, best / last / gap, evaluations."""
    from rofit.commands import inventory, terminal

    folder = session.store.find(text)
    sections, logs = inventory.run_details(folder)
    if session.flags.as_json:
        return answer(sections, True)
    run = sections["run"]
    say(f"{folder.path.name}: {inventory.state_text(run)}", highlight=False)
    if sections["spec"]:
        rows = [_with_radii(row) for row in sections["spec"]]
        say_rows("fields that differ from the default", rows)
    else:
        say("every field has its default", highlight=False)
    if run["last"] is not None:
        say(terminal.robust_curve(logs), markup=False, highlight=False)
        say(terminal.best_last_gap_text(logs), highlight=False)
    elif len(logs):
        say("no robust accuracies of test images by epoch")
    else:
        say("no epoch is finished yet")
    if sections["evaluations"]:
        say_rows("evaluations", sections["evaluations"])


@click.command()
@click.argument("names", metavar="[NAME | logs INDEX [STORE]]", nargs=-1)
@click.option("--fetch", is_flag=True, help="Download it, or decode the archive.")
@with_flags("data", "as_json", "debug")
def data(session: Session, names: tuple[str, ...], fetch: bool) -> None:
    """Say where data sets are looked for and what is there; fetch one.

    Or which stores of runs an INDEX lists, a URL or a file: `rofit data logs INDEX`.
    `rofit data logs INDEX --fetch STORE` downloads one and unpacks it.
    """
    from rofit.commands import inventory

    if names[:1] == ("logs",):
        answer(published.stores(session, names[1:], fetch), session.flags.as_json)
        return
    if len(names) > 1:
        raise click.UsageError(f"Got unexpected extra argument ({names[1]})")
    name = names[0] if names else None
    answer(inventory.data(session, name, fetch), session.flags.as_json)


def _with_radii(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of a field with radii and steps as people write them."""
    if row["field"] not in ("epsilon", "step_size"):
        return row
    return row | {key: radius_text(row[key]) for key in ("value", "default")}
