"""The command line: parse, print, exit codes. No decisions.

Exit codes: 0 done, 1 error, 2 usage, 75 unfinished (run again). Results go to standard
output, progress to standard error.
"""

import sys

import click

from rofit.commands import (
    bench,
    comparison,
    evaluation,
    export,
    inventory,
    reproduction,
    terminal,
    training,
)
from rofit.commands.answers import answer, say
from rofit.commands.flags import shared
from rofit.commands.session import Session
from rofit.errors import UserError


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


for command in (
    reproduction.run,
    reproduction.reproduce_,
    training.train,
    evaluation.eval_,
    comparison.compare,
    export.export,
    bench.bench,
):
    cli.add_command(command)


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


def _complain(error: object, code: int) -> int:
    if "--debug" in sys.argv:
        raise  # noqa: PLE0704  inside the handler of main
    click.echo(f"rofit: {error}", err=True)
    return code
