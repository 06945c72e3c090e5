"""Sinks: programs that show curves, fed while a run trains and afterwards.

A file in this folder is a sink; it is listed nowhere else. `rofit.sinks.curve`
says what it holds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType

from rofit.errors import UserError, look_up, one_line
from rofit.sinks.curve import Log, run_info, write_new
from rofit.store import log
from rofit.store.runs import RunFolder, last_epoch

_NOT_SINKS = ("curve", "live", "offline_runs")  # what sinks are fed and made with

SINKS: dict[str, ModuleType] = {
    module.name: import_module(f"{__name__}.{module.name}")
    for module in iter_modules(__path__)
    if module.name not in _NOT_SINKS
}


@dataclass(frozen=True)
class Sink:
    """A sink and where in it: what ``NAME:WHERE`` means."""

    module: ModuleType
    where: str


def find_sink(text: str) -> Sink:
    """Return the sink that ``NAME`` or ``NAME:WHERE`` names.

    Raises:
        UserError: no such sink, or its package is not installed.
    """
    name, _, where = text.partition(":")
    module = look_up("sink", name, SINKS)
    for package in module.NEEDS:
        spec = find_spec(package)
        if spec is None or spec.origin is None:  # a folder of that name is no package
            raise UserError(
                f"{name} needs the package {package}, which is not installed: "
                f"pip install 'rofit[{name}]'"
            )
    return Sink(module, where)


def check_sinks(log_to: Iterable[str]) -> None:
    """Raise UserError for a sink that there is not, or whose package there is not."""
    for text in log_to:
        find_sink(text)


def feed(folder: RunFolder, sink: str) -> int:
    """Feed a run to a sink as far as the run has come; return the values added.

    What the sink has already is left out: feeding twice adds nothing.

    Args:
        folder: of the run, done or not.
        sink: ``NAME`` or ``NAME:WHERE``, as ``--log-to`` takes it.

    Raises:
        UserError: no such sink, a package that is not installed, a sink that fails, or
            a run whose log has lost rows.
    """
    opened = find_sink(sink)
    last = last_epoch(folder.path)
    lost = log.lost(folder.path, last)
    if folder.source:  # a log of others may lack epochs
        lost = sorted(set(lost) & set(log.seals(folder.path)))
    if lost:
        raise UserError(
            f"{folder.path / log.LOG} has lost the rows of {log.named(lost)}, and goes "
            "to no sink (rofit doctor checks a store)"
        )
    run = run_info(folder)
    try:
        with opened.module.opened(run, opened.where) as curve:
            return write_new(curve, Log(folder), last, {})
    except (Exception, SystemExit) as error:
        raise UserError(failure(sink, error)) from error


def failure(sink: str, error: BaseException) -> str:
    """Return the sentence for a sink that has failed."""
    return one_line(f"{sink} failed ({type(error).__name__}: {error})")
