"""The flags that several commands share, for click."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console

from rofit.commands.session import Flags, Session
from rofit.errors import UserError, quoted

_LONGEST_ARGUMENT, _LONGEST_PART = 1024, 255  # bytes; a part stands between slashes

_FLAGS = {
    "scale": click.option("--scale", help="smoke, demo, cpu, hour, gpu or paper."),
    "settings": click.option(
        "--set", "settings", multiple=True, metavar="K=V", help="Override."
    ),
    "seeds": click.option(
        "--seeds", type=click.IntRange(1, 1000), help="Runs of each setting."
    ),
    "store": click.option("--store", help="Folder of the runs [runs]."),
    "out": click.option("--out", help="Folder of the results [results]."),
    "data": click.option(
        "--data",
        multiple=True,
        metavar="[NAME=]PATH",
        help="Archive or folder of images, or torchvision's folder.",
    ),
    "device": click.option(
        "--device", default="auto", help="auto, cpu, cuda or cuda:N [auto]."
    ),
    "engine": click.option(
        "--engine", default="auto", help="auto, compiled or eager [auto]."
    ),
    "jobs": click.option(
        "--jobs", type=click.IntRange(1, 1000), default=1, help="Runs at a time."
    ),
    "devices": click.option(
        "--devices", metavar="A,B", help="One run each: cuda:0,cuda:1."
    ),
    "log_to": click.option(
        "--log-to",
        multiple=True,
        metavar="SINK[:WHERE]",
        help="tensorboard, wandb, mlflow, trackio or csv.",
    ),
    "deterministic": click.option(
        "--deterministic", is_flag=True, help="The same bits twice, on a GPU too."
    ),
    "dry_run": click.option(
        "--dry-run", is_flag=True, help="Only say which runs are missing."
    ),
    "redraw": click.option(
        "--redraw", is_flag=True, help="Draw again from the saved table."
    ),
    "max_minutes": click.option(
        "--max-minutes",
        type=click.FloatRange(0),
        help="Then stop at an epoch's end.",
    ),
    "as_json": click.option("--json", "as_json", is_flag=True, help="Answer in JSON."),
    "quiet": click.option("--quiet", is_flag=True, help="No progress."),
    "debug": click.option("--debug", is_flag=True, help="Show tracebacks."),
}


def with_flags(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add flags, by the names of `Flags`, to a command, which receives a Session."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_session(**options: Any) -> Any:
            _check_texts()
            values = {name: options.pop(name) for name in names}
            return command(Session(Flags(**values), Console(stderr=True)), **options)

        for name in reversed(names):
            with_session = _FLAGS[name](with_session)
        return with_session

    return add


with_all_flags = with_flags(*_FLAGS)
with_training_flags = with_flags(*(n for n in _FLAGS if n not in ("out", "redraw")))
with_sweep_flags = with_flags(*(n for n in _FLAGS if n != "redraw"))


def _check_texts() -> None:
    """Raise UserError for a text of the user's that can be no name and no path."""
    if home := os.environ.get("ROFIT_HOME"):
        _check_text("ROFIT_HOME", home)
    context = click.get_current_context()
    for parameter in context.command.params:
        name = str(parameter.name)
        typed = context.get_parameter_source(name) == ParameterSource.COMMANDLINE
        if typed and name != "settings":  # no paths; knobs say what they may be
            value = context.params[name]
            for text in value if isinstance(value, tuple) else (value,):
                if isinstance(text, str | Path):
                    _check_text(_label(parameter), str(text))


def _label(parameter: click.Parameter) -> str:
    """Return what the user calls it: ``--store``, ``RUN``."""
    if isinstance(parameter, click.Option):
        return parameter.opts[0]
    return parameter.human_readable_name


def _check_text(label: str, text: str) -> None:
    if not text:
        raise UserError(f"{label} expects a text, got an empty one")
    if "\0" in text:
        raise UserError(
            f"{label} expects a text without zero bytes, got {quoted(text)}"
        )
    try:
        for path in (text, text.partition("=")[2]):  # --data NAME=PATH
            Path(path).expanduser()
    except RuntimeError:
        raise UserError(
            f"{label} names a home that is not here: {quoted(text)}"
        ) from None
    longest_part = max(map(_size, text.split("/")))
    if _size(text) > _LONGEST_ARGUMENT or longest_part > _LONGEST_PART:
        raise UserError(
            f"{label} expects at most {_LONGEST_ARGUMENT:,} bytes, {_LONGEST_PART} "
            f"between slashes, got {_size(text):,}: {quoted(text)}"
        )


def _size(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))
