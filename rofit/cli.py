"""The command line: parse, print, exit codes. No decisions.

Exit codes: 0 done, 1 error, 2 usage, 75 unfinished (run again). Results go to standard
output, progress to standard error.
"""

import sys
from pathlib import Path
from typing import Any

import click

from rofit.commands import (
    comparison,
    export,
    inventory,
    measuring,
    reproduction,
    terminal,
)
from rofit.commands.answers import answer, say, unfinished
from rofit.commands.flags import shared
from rofit.commands.session import Session
from rofit.errors import NothingToDraw, UserError
from rofit.measures.claims import from_plain
from rofit.reproduction import catalog, wanted


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)
@click.version_option(package_name="rofit")
@click.pass_context
def cli(context: click.Context) -> None:
    """What robust overfitting is made of, measured."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cli.command("list")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def list_(as_json: bool, debug: bool) -> None:
    """Say what there is: analyses, methods, data sets, models, scales ..."""
    answer(inventory.everything(), as_json)


@cli.command()
@click.argument("names", nargs=-1, required=True)
@shared
def run(session: Session, names: tuple[str, ...]) -> int:
    """Train the runs an analysis needs, then its table, picture and claims."""
    return _reproduce(session, list(names))


@cli.command("reproduce")
@click.option("--figure", "figures", type=int, multiple=True, help="By its number.")
@click.option("--table", "tables", type=int, multiple=True, help="By its number.")
@click.option("--all", "everything", is_flag=True, help="Every analysis there is.")
@shared
def reproduce_(
    session: Session,
    figures: tuple[int, ...],
    tables: tuple[int, ...],
    everything: bool,
) -> int:
    """Do the same for a figure or table of the paper, by its number."""
    names = catalog.analysis_names() if everything else []
    names += [n for k in figures for n in catalog.find_by_number("figure", k)]
    names += [n for k in tables for n in catalog.find_by_number("table", k)]
    if not names:
        raise UserError("name what to reproduce: --figure N, --table N or --all")
    return _reproduce(session, names)


@cli.command()
@click.option("--method", help="Training method (rofit list).")
@click.option("--labels", help="Method whose label rule is taken.")
@click.option("--weights", help="Methods whose weight rules are taken: awp,swa.")
@click.option("--dataset", help="Data set (rofit data).")
@click.option("--recipe", help="Published training recipe.")
@click.option("--spec", "file", type=Path, help="A spec.json to begin from.")
@click.option("--keep", multiple=True, type=int, help="Keep this epoch's weights.")
@click.option("--watch", multiple=True, help="Diagnostic [all].")
@shared
def train(
    session: Session, keep: tuple[int, ...], watch: tuple[str, ...], **asked: Any
) -> int:
    """Train one run (or one a seed) from flags, a recipe or a spec.json."""
    watched = inventory.diagnostics(watch)
    specs = session.specs(**asked)
    _check_kept(keep, specs[0].epochs)
    if session.flags.scale or not asked["file"]:
        _say_scale(session)
    if not session.flags.dry_run:
        done = session.train(specs, watched, watch, frozenset(keep))
    rows = [inventory.run_row(session.store.folder(s.run_id), s) for s in specs]
    answer({"runs": rows}, session.flags.as_json)
    return 0 if session.flags.dry_run or done else unfinished()


@cli.command()
@shared
def status(session: Session) -> None:
    """Say what is done, partial and missing."""
    answer(inventory.status(session), session.flags.as_json)


@cli.command()
@click.argument("text", metavar="RUN")
@shared
def show(session: Session, text: str) -> None:
    """Show one run: spec, robust-accuracy curve, best / last / gap, evaluations."""
    folder = session.store.find(text)
    about, logs = inventory.run_about(folder)
    if session.flags.as_json:
        return answer(about, True)
    if about["spec"]:
        say(terminal.listing(folder.path.name, about["spec"]))
    else:
        say(f"{folder.path.name}: every field has its default", highlight=False)
    if about["run"]["last"] is not None:
        say(terminal.robust_curve(logs), markup=False, highlight=False)
        say(terminal.best_last_gap_text(logs), highlight=False)
    else:
        say("no epoch is finished yet")
    if about["evaluations"]:
        say(terminal.listing("evaluations", about["evaluations"]))


@cli.command()
@click.argument("name", required=False)
@click.option("--fetch", is_flag=True, help="Download it, or decode the archive.")
@shared
def data(session: Session, name: str | None, fetch: bool) -> None:
    """Say where data sets are looked for and what is there; fetch one."""
    answer(inventory.data(session, name, fetch), session.flags.as_json)


cli.add_command(comparison.compare)
cli.add_command(measuring.eval_)
cli.add_command(measuring.bench)
cli.add_command(export.export)


def main() -> None:
    """Run the command line; turn errors into one sentence and an exit code."""
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        code = _complain(error.format_message(), 2)
    except UserError as error:
        code = _complain(error, 2)
    except (Exception, KeyboardInterrupt) as error:
        code = _complain(f"{type(error).__name__}: {error}", 1)
    sys.exit(code or 0)


def _reproduce(session: Session, names: list[str]) -> int:
    plans = {}
    for name in names:
        try:
            plans[name] = wanted.plan(session.request(name))
        except NothingToDraw as error:
            _leave_out(NothingToDraw(f"{name}: {error}"), alone=len(names) == 1)
    _say_scale(session)
    if session.flags.dry_run:
        rows = inventory.missing(plans, session.store)
        answer({"runs": rows}, session.flags.as_json)
        return 0
    results, done = reproduction.reproduce(
        session,
        plans,
        inventory.diagnostics(()),
        tell=lambda result: None if session.flags.as_json else _print_result(result),
        left_out=lambda error: _leave_out(error, alone=len(names) == 1),
    )
    if not done:
        return unfinished()
    if not results:
        return 2
    if session.flags.as_json:
        answer({"results": results}, as_json=True)
    return 0


def _leave_out(error: NothingToDraw, *, alone: bool) -> None:
    """Say that one of several analyses cannot be drawn; raise if it is the only one."""
    if alone:
        raise error
    click.echo(f"rofit: left out: {error}", err=True)


def _check_kept(keep: tuple[int, ...], epochs: int) -> None:
    for epoch in keep:
        if not 1 <= epoch <= epochs:
            raise UserError(f"--keep expects epochs from 1 to {epochs}, got {epoch}")


def _say_scale(session: Session) -> None:
    if not session.flags.as_json:
        click.echo(session.about_scale())


def _print_result(result: dict[str, Any]) -> None:
    claims = [from_plain(claim) for claim in result["claims"]]
    title = f"{result['analysis']} ({result['paper']}), {result['size']}"
    say(terminal.claims_table(claims, title))
    for what in ("table", "shown"):
        say(f"{what:8} {result[what]}", soft_wrap=True, highlight=False)


def _complain(error: object, code: int) -> int:
    if "--debug" in sys.argv:
        raise  # noqa: PLE0704  inside the handler of main
    click.echo(f"rofit: {error}", err=True)
    return code
