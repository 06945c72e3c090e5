"""Analyses and figures, found by file name: the same stem in both folders."""

import importlib
import pkgutil
import re
from types import ModuleType

from rofit.errors import UserError, unknown

# What an analysis must define; reproduce relies on all of it. With SAMPLES, names of
# diagnostics, its table is given their samples after the logs; with EVALUATIONS, names
# of attacks, best and last of its runs are evaluated and the logs have the results;
# those that LEFT_OUT names for a scale take too long there. With COSTS, nothing is
# trained: the steps of its runs are timed, and the table is given the times. With
# BESIDE, runs of others can be shown beside its own (--beside).
NEEDED = ("PAPER", "STATUS", "DIAGNOSTICS", "COLUMNS", "runs", "table", "claims")


def analysis_names() -> list[str]:
    """Return the names of all analyses, in the order of the paper's numbers."""
    package = _package("rofit.analyses")
    modules = pkgutil.iter_modules(package.__path__)
    names = [module.name for module in modules if not module.name.startswith("_")]
    return sorted(names, key=_by_number)


def load_analysis(name: str) -> ModuleType:
    """Return the analysis called *name*.

    Raises:
        UserError: no such analysis, or it lacks a needed name.
    """
    if name not in analysis_names():
        raise unknown("analysis", name, analysis_names())
    module = importlib.import_module(f"rofit.analyses.{name}")
    missing = [attribute for attribute in NEEDED if not hasattr(module, attribute)]
    if missing:
        raise UserError(f"analysis {name} must define {', '.join(missing)}")
    return module


def evaluations(name: str, scale: str) -> tuple[str, ...]:
    """Return the attacks under which best and last of an analysis are evaluated."""
    module = load_analysis(name)
    left_out = getattr(module, "LEFT_OUT", {}).get(scale, ())
    attacks = getattr(module, "EVALUATIONS", ())
    return tuple(attack for attack in attacks if attack not in left_out)


def is_timed(name: str) -> bool:
    """Return whether the analysis is of the time that steps take, not of runs."""
    return bool(getattr(load_analysis(name), "COSTS", False))


def load_figure(name: str) -> ModuleType:
    """Return the figure that draws the analysis called *name*.

    Raises:
        UserError: there is no figure of that name.
    """
    _package("rofit.figures")
    try:
        return importlib.import_module(f"rofit.figures.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"rofit.figures.{name}":
            raise
        raise UserError(f"analysis {name} has no figures/{name}.py") from None


def find_by_number(kind: str, number: int) -> list[str]:
    """Return the analyses of the paper's figure or table of that number.

    Raises:
        UserError: there is none.
    """
    stem = re.compile(rf"{'fig' if kind == 'figure' else kind}{number}_")
    names = [name for name in analysis_names() if stem.match(name)]
    if not names:
        known = ", ".join(analysis_names())
        raise UserError(f"no analysis for {kind} {number} yet; there are: {known}")
    return names


def _by_number(name: str) -> tuple[str, int, str]:
    kind, number, rest = re.fullmatch(r"([^\d_]*)(\d*)(.*)", name).groups()  # type: ignore[union-attr]
    return kind, int(number or 0), rest


def summary(module: ModuleType) -> str:
    """Return the first line of a module's docstring, without its full stop."""
    return (module.__doc__ or "").strip().splitlines()[0].rstrip(".")


def _package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise UserError(
            f"{name} is not installed: run 'pip install -e .' in the checkout"
        ) from None
