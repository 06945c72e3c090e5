"""The flags that several commands share, for click."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from rich.console import Console

from rofit.session import Flags, Session

_SHARED = [
    click.option("--scale", help="smoke, demo, cpu, gpu or paper."),
    click.option("--set", "settings", multiple=True, metavar="K=V", help="Override."),
    click.option("--seeds", type=click.IntRange(1), help="Runs of each setting."),
    click.option("--store", help="Folder of the runs [runs]."),
    click.option("--out", help="Folder of the results [results]."),
    click.option(
        "--data", help="Archive or folder of images, or torchvision's folder."
    ),
    click.option("--device", default="auto", help="auto, cpu, cuda or cuda:N [auto]."),
    click.option("--engine", default="auto", help="auto, compiled or eager [auto]."),
    click.option("--jobs", type=click.IntRange(1), default=1, help="Runs at a time."),
    click.option(
        "--deterministic", is_flag=True, help="The same bits twice, on a GPU too."
    ),
    click.option("--dry-run", is_flag=True, help="Only say which runs are missing."),
    click.option("--redraw", is_flag=True, help="Draw again from the saved table."),
    click.option(
        "--max-minutes",
        type=click.FloatRange(0),
        help="Then stop at an epoch's end.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Answer in JSON."),
    click.option("--quiet", is_flag=True, help="No progress."),
    click.option("--debug", is_flag=True, help="Show tracebacks."),
]


def shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the shared flags to a command, which receives them as one Session."""

    @wraps(command)
    def with_session(**options: Any) -> Any:
        given = {name: options.pop(name) for name in Flags.__dataclass_fields__}
        return command(Session(Flags(**given), Console(stderr=True)), **options)

    for option in reversed(_SHARED):
        with_session = option(with_session)
    return with_session
