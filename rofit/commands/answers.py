"""How a command answers: tables, tab-separated lines or JSON, and its exit code."""

import json
from typing import Any

import click
from rich.console import Console

from rofit.commands import tables
from rofit.interrupts import GOES_ON, UNFINISHED
from rofit.measures.claim_text import how_judged
from rofit.measures.claims import Claim


def say(*objects: Any, **options: Any) -> None:
    """Print on standard output, as rich does."""
    Console().print(*objects, **options)


def answer(sections: dict[str, Any], as_json: bool) -> None:
    """Print each section, a list of rows; or all of them as JSON."""
    if as_json:
        click.echo(json.dumps(sections, indent=1))
        return
    for number, (title, rows) in enumerate(sections.items()):
        if number:
            click.echo()
        say_rows(title, rows)


def say_rows(title: str, rows: tables.Rows) -> None:
    """Print rows as a table on a terminal, tab-separated into a pipe or a file."""
    console = Console()
    if console.is_terminal:
        console.print(tables.table(title, rows, console.width), highlight=False)
    else:
        click.echo(tables.tab_separated(title, rows), nl=False)


def say_claims(title: str, claims: list[Claim]) -> None:
    """Print claims, a mark and a sentence each on a terminal, rows into a pipe."""
    console = Console()
    if console.is_terminal:
        console.print(tables.claim_lines(claims, title, console.width), highlight=False)
    else:
        click.echo(tables.tab_separated(title, tables.claim_rows(claims)), nl=False)
        click.echo(f"# {how_judged(claims)}")


def unfinished() -> int:
    """Say on standard error that work remains; return the exit code that means it."""
    click.echo(GOES_ON, err=True)
    return UNFINISHED
