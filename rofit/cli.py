"""The command line: its commands and their exit codes.

Exit codes: 0 done, 1 error, 2 usage, 75 unfinished (run again); 129, 130, 141 and 143
as shells have them for SIGHUP, SIGINT, a closed pipe and SIGTERM. Results go to
standard output, progress to standard error.
"""

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from typing import Any, TextIO

import click

from rofit.distributed.launch import launched
from rofit.errors import RankLost, Remark, UserError, is_out_of_memory, one_line
from rofit.interrupts import CLOSED_PIPE, UNFINISHED, end_in_silence_on_signals
from rofit.writing import NotWritten, is_full, reason

# Command -> module and function under rofit.commands, and what `rofit --help` says.
# A command is imported when it is called: torch takes seconds, pandas half a second.
COMMANDS = {
    "list": ("listing", "list_", "Say what there is: analyses, methods, attacks ..."),
    "run": ("reproduction", "run", "Train the runs of an analysis, and draw it."),
    "reproduce": (
        "reproduction",
        "reproduce_",
        "Run and draw a figure or table of the paper.",
    ),
    "train": ("training", "train", "Train one run (or one a seed)."),
    "sweep": ("sweep", "sweep", "Train a grid of settings: one table, the best."),
    "eval": ("evaluation", "eval_", "Attack the networks of runs or checkpoint files."),
    "import": ("imports", "import_", "Bring checkpoints and logs of others in."),
    "status": ("listing", "status", "Say what is done, partial and missing."),
    "show": ("listing", "show", "Show one run: settings, curve, best / last / gap."),
    "report": ("report", "report", "Write a page for the browser: runs, analyses."),
    "compare": ("comparison", "compare", "Show what differs between runs."),
    "rm": ("moves", "rm", "Remove runs."),
    "rename": ("moves", "rename", "Give an imported or watched run another name."),
    "doctor": ("doctor", "doctor", "Check a store for damage; mend what can be."),
    "export": ("export", "export", "Copy runs without checkpoints, or publish one."),
    "data": ("listing", "data", "Say which data sets are there; fetch one."),
    "bench": ("bench", "bench", "Time the field's training step against rofit's."),
}


class ClosedPipe(Exception):
    """Nobody reads any more what is printed."""


@contextmanager
def _closed_pipes() -> Iterator[None]:
    """Raise ClosedPipe where click and rich, later, would exit with 1."""
    try:
        yield
    except BrokenPipeError:
        raise ClosedPipe from None
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # rich's answer
            raise ClosedPipe from None
        raise


class Commands(click.Group):
    """Commands whose modules are imported when they are called."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Read the words; --help and --version print."""
        with _closed_pipes():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        with _closed_pipes():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now; None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        if launched() and cmd_name != "train":
            raise UserError(
                f"torchrun is for rofit train; rofit {cmd_name} is one process"
            )
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
    with warnings.catch_warnings():
        warnings.filterwarnings("once", category=Remark)
        warnings.showwarning = partial(_show_warning, warnings.showwarning)
        code = _answer()
    for stream in (sys.stdout, sys.stderr):
        try:
            _flush(stream)
        except OSError as error:
            code = code or _print_error(_disk_sentence(error), 1)
            _drop(stream)
    sys.exit(code)


def _answer() -> int:
    """Run the command and return its exit code."""
    try:
        code = cli.main(standalone_mode=False)
        _flush(sys.stdout)
        return code or 0
    except click.ClickException as error:
        return _print_error(error.format_message(), 2)
    except UserError as error:
        return _print_error(error, 2)
    except RankLost as error:
        code = _print_error(error, UNFINISHED)
        end_in_silence_on_signals()  # of torchrun, which ends what is left
        return code
    except NotWritten as error:
        return _print_error(error, 1)
    except (ClosedPipe, BrokenPipeError):
        return CLOSED_PIPE
    except (KeyboardInterrupt, click.Abort):  # inside another program, or --debug
        return _print_error("interrupted", 130)
    except Exception as error:
        if isinstance(error, OSError) and is_full(error):
            return _print_error(_disk_sentence(error), 1)
        if is_out_of_memory(error):
            said = "there is too little memory; what was kept before stays"
            return _print_error(f"{said}: the same command goes on", 1)
        return _print_error(f"{type(error).__name__}: {error}", 1)


def _disk_sentence(error: OSError) -> str:
    """Return a sentence for what went to no file of a name: standard output, say."""
    where = f" to {error.filename}" if error.filename else ""
    return f"nothing more can be written{where} ({reason(error)})"


def _flush(stream: TextIO | None) -> None:
    if stream is not None:
        stream.flush()


def _drop(stream: TextIO) -> None:
    """Drop what a stream has not taken, or Python tries it again at its end."""
    with suppress(OSError, ValueError):  # it is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _show_warning(
    usual: Callable[..., None],
    message: Warning | str,
    category: type[Warning],
    *place: Any,
    **more: Any,
) -> None:
    """Show a remark as one line, and what others warn of as usual."""
    if issubclass(category, Remark):
        with suppress(OSError):
            click.echo(f"rofit: {one_line(str(message))}", err=True)
    else:
        usual(message, category, *place, **more)


def _print_error(error: object, code: int) -> int:
    if "--debug" in sys.argv:
        raise  # noqa: PLE0704  inside a handler of the functions above
    with suppress(OSError):  # the terminal is gone
        click.echo(f"rofit: {one_line(str(error))}", err=True)
    return code
