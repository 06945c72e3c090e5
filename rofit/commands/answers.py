"""How a command answers: tables or JSON on standard output, and its exit code."""

import json
from typing import Any

import click
from rich.console import Console

from rofit.commands import terminal
from rofit.interrupts import GOES_ON, UNFINISHED


def say(*objects: Any, **options: Any) -> None:
    """Print on standard output, as rich does."""
    Console().print(*objects, **options)


def answer(sections: dict[str, Any], as_json: bool) -> None:
    """Print each section, a list of rows, as a table; or all of them as JSON."""
    if as_json:
        click.echo(json.dumps(sections, indent=1))
        return
    for title, rows in sections.items():
        say(terminal.listing(title, rows))


def unfinished() -> int:
    """Say on standard error that work remains; return the exit code that means it."""
    click.echo(GOES_ON, err=True)
    return UNFINISHED
