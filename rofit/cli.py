"""The command line: its commands and their exit codes.

Exit codes: 0 done, 1 error, 2 usage, 75 unfinished (run again). Results go to standard
output, progress to standard error.
"""

import sys
from importlib import import_module

import click

from rofit.errors import UserError, one_line

# Command -> module and function under rofit.commands, and what `rofit --help` says.
# A command is imported when it is called: torch takes seconds, pandas half a second.
COMMANDS = {
    "list": ("listing", "list_", "Say what there is: analyses, methods, attacks ..."),
    "run": ("reproduction", "run", "Train the runs of an analysis, and draw it."),
    "reproduce": ("reproduction", "reproduce_", "The same by the paper's number."),
    "train": ("training", "train", "Train one run (or one a seed)."),
    "eval": ("evaluation", "eval_", "Attack the networks of runs or checkpoint files."),
    "status": ("listing", "status", "Say what is done, partial and missing."),
    "show": ("listing", "show", "Show one run: settings, curve, best / last / gap."),
    "compare": ("comparison", "compare", "Show what differs between runs."),
    "doctor": ("doctor", "doctor", "Check a store for damage; mend what can be."),
    "export": ("export", "export", "Copy runs without their checkpoints."),
    "data": ("listing", "data", "Say which data sets are there; fetch one."),
    "bench": ("bench", "bench", "Time the field's training step against rofit's."),
}


class Commands(click.Group):
    """Commands whose modules are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now; None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, function, _ = COMMANDS[cmd_name]
        command = getattr(import_module(f"rofit.commands.{module}"), function)
        assert isinstance(command, click.Command)
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the table, importing nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, row[-1]) for name, row in COMMANDS.items()])


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)
@click.version_option(package_name="rofit")
@click.pass_context
def cli(context: click.Context) -> None:
    """What robust overfitting is made of, measured."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main() -> None:
    """Run the command line; turn errors into one sentence and an exit code."""
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        code = _print_error(error.format_message(), 2)
    except UserError as error:
        code = _print_error(error, 2)
    except (Exception, KeyboardInterrupt) as error:
        code = _print_error(f"{type(error).__name__}: {error}", 1)
    sys.exit(code or 0)


def _print_error(error: object, code: int) -> int:
    if "--debug" in sys.argv:
        raise  # noqa: PLE0704  inside the handler of main
    click.echo(f"rofit: {one_line(str(error))}", err=True)
    return code
