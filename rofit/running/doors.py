"""`rofit.train` and `rofit.evaluate`: what notebooks call.

The same functions stand behind the commands, whose flags their errors name; here an
error names the arguments instead. In a notebook progress is shown in the cell, and what
was interrupted has ended in KeyboardInterrupt once all is kept.
"""

import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import pandas as pd
from rich.console import Console
from torch import nn

from rofit.errors import UserError
from rofit.running import evaluate as of_runs
from rofit.running import evaluate_network as of_networks
from rofit.running import train as training
from rofit.training.stop import Stop
from rofit.writing import NotWritten

P = ParamSpec("P")
T = TypeVar("T")
# Flag of a command -> argument, where they differ in more than a hyphen.
_ARGUMENTS = {
    "from": "source",
    "attack": "attacks",
    "checkpoint": "checkpoints",
    "epsilon": "epsilons",
}
STOPPED = "what was done is kept: the same call goes on from here"
_FLAG = re.compile(r"(?:rofit (?:eval|train) )?--(?P<name>[a-z]+(?:-[a-z]+)*)")


def _for_python(function: Callable[P, T]) -> Callable[P, T]:
    """Return the function, with progress in a notebook's cell.

    Its errors name its arguments and no command's flags.
    """

    @wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> T:
        shown = Console()
        if options.get("console") is None and shown.is_jupyter:
            options["console"] = shown
        try:
            return function(*args, **options)
        except (UserError, NotWritten) as error:
            text = in_arguments(str(error))
            if text == str(error):
                raise
            raise type(error)(text) from None

    return call


def _ending_whole(function: Callable[P, T]) -> Callable[P, T]:
    """Return the function, which ends in KeyboardInterrupt after SIGINT.

    It ends as before, at the end of a step or batch with all of it kept; but what comes
    after it in a script or a notebook is not run. A second SIGINT ends at once.
    """

    @wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> T:
        with Stop() as stop:
            result = function(*args, **options)
        if stop.interrupted:
            raise KeyboardInterrupt(STOPPED)
        return result

    return call


def in_arguments(text: str) -> str:
    """Return a sentence with the arguments for a command's flags.

    Examples:
        >>> in_arguments("take fewer (rofit eval --batch-size 8), or --set lr=0.1")
        'take fewer (batch_size 8), or the field lr=0.1'
    """

    def argument(flag: re.Match[str]) -> str:
        name = flag["name"]
        if name == "set":
            return "the field"
        return _ARGUMENTS.get(name, name.replace("-", "_"))

    return _FLAG.sub(argument, text)


train = _for_python(_ending_whole(training.train))
_evaluate_runs = _ending_whole(of_runs.evaluate)


@_for_python
def evaluate(*targets: Any, **options: Any) -> pd.DataFrame:
    """Evaluate runs, checkpoint files, or a network in memory, under attacks.

    ``evaluate("RUN", ..., attacks=...)`` is `rofit.running.evaluate.evaluate`, which
    keeps what it has made; ``evaluate(model, x, y, threat, attacks)`` is
    `rofit.running.evaluate_network.evaluate_network`, which keeps nothing. Their
    docstrings say the arguments.

    Args:
        *targets: runs or files, or a network with images, classes, threat model and
            attacks.
        **options: of the one or the other.

    Returns:
        A row a case: attack, threat model, accuracy, warnings of the checks.

    Raises:
        UserError: what cannot be evaluated so.
    """
    if "model" in options or (targets and isinstance(targets[0], nn.Module)):
        return of_networks.evaluate_network(*targets, **options)
    for target in targets:
        if not isinstance(target, str | Path):
            kind = type(target).__name__
            raise UserError(
                f"expected ids of runs, checkpoint files, or a network, got {kind}"
            )
    return _evaluate_runs(*targets, **options)
