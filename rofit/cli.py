"""The command line: parse, print, exit codes. No decisions.

Exit codes: 0 done, 1 error, 2 usage, 75 unfinished (run again). Results go to standard
output, progress to standard error.
"""

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from rofit import catalog, inventory, reproduce, terminal
from rofit.claims import from_plain
from rofit.errors import UserError
from rofit.flags import shared
from rofit.session import Session

UNFINISHED = 75


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
    _answer(inventory.everything(), as_json)


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
    _answer({"runs": rows}, session.flags.as_json)
    return 0 if session.flags.dry_run or done else _unfinished()


@cli.command()
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
    from rofit.runner import find_device

    wanted = tables or ("speed", "parity")
    _answer(measure(wanted, device=find_device(device), **asked), as_json)


@cli.command()
@shared
def status(session: Session) -> None:
    """Say what is done, partial and missing."""
    _answer(inventory.status(session), session.flags.as_json)


@cli.command()
@click.argument("text", metavar="RUN")
@shared
def show(session: Session, text: str) -> None:
    """Show one run: spec, robust-accuracy curve, best / last / gap."""
    folder = session.store.find(text)
    about, logs = inventory.run_about(folder)
    if session.flags.as_json:
        return _answer(about, True)
    if about["spec"]:
        _print(terminal.listing(folder.path.name, about["spec"]))
    else:
        _print(f"{folder.path.name}: every field has its default", highlight=False)
    if len(logs):
        _print(terminal.robust_curve(logs), markup=False, highlight=False)
        _print(terminal.best_last_gap_text(logs), highlight=False)
    else:
        _print("no epoch is finished yet")


@cli.command()
@click.argument("name", required=False)
@click.option("--fetch", is_flag=True, help="Download it, or decode the archive.")
@shared
def data(session: Session, name: str | None, fetch: bool) -> None:
    """Say where data sets are looked for and what is there; fetch one."""
    _answer(inventory.data(session, name, fetch), session.flags.as_json)


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
    plans = {name: reproduce.plan(session.request(name)) for name in names}
    _say_scale(session)
    if session.flags.dry_run:
        rows = inventory.missing(plans, session.store)
        _answer({"runs": rows}, session.flags.as_json)
        return 0
    results = []
    watched = inventory.diagnostics(())
    for name, specs in plans.items():
        if not session.reproduce(name, specs, watched):
            return _unfinished()
        results.append(session.result(name))
        if not session.flags.as_json:
            _print_result(results[-1])
    if session.flags.as_json:
        _answer({"results": results}, as_json=True)
    return 0


def _check_kept(keep: tuple[int, ...], epochs: int) -> None:
    for epoch in keep:
        if not 1 <= epoch <= epochs:
            raise UserError(f"--keep expects epochs from 1 to {epochs}, got {epoch}")


def _print(*what: Any, **how: Any) -> None:
    Console().print(*what, **how)


def _say_scale(session: Session) -> None:
    if not session.flags.as_json:
        click.echo(session.about_scale())


def _print_result(result: dict[str, Any]) -> None:
    claims = [from_plain(claim) for claim in result["claims"]]
    title = f"{result['analysis']} ({result['paper']}), {result['size']}"
    _print(terminal.claims_table(claims, title))
    for what in ("table", "picture"):
        _print(f"{what:8} {result[what]}", soft_wrap=True, highlight=False)


def _answer(sections: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(sections, indent=1))
        return
    for title, rows in sections.items():
        _print(terminal.listing(title, rows))


def _unfinished() -> int:
    click.echo("unfinished: the same command goes on from here", err=True)
    return UNFINISHED


def _complain(error: object, code: int) -> int:
    if "--debug" in sys.argv:
        raise  # noqa: PLE0704  inside the handler of main
    click.echo(f"rofit: {error}", err=True)
    return code
