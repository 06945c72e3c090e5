"""Diagnostics: what is watched while a network trains, one file a measured thing."""

from rofit.diagnostics.diagnostic import Diagnostic, Watch
from rofit.diagnostics.gradient_norm import GradientNorm
from rofit.errors import unknown

__all__ = ["DIAGNOSTICS", "Diagnostic", "Watch", "find_diagnostic"]

DIAGNOSTICS: dict[str, type[Diagnostic]] = {
    "gradient_norm": GradientNorm,
}


def find_diagnostic(name: str) -> type[Diagnostic]:
    """Return the diagnostic called *name*.

    Raises:
        UserError: no such diagnostic.
    """
    if name not in DIAGNOSTICS:
        raise unknown("diagnostic", name, DIAGNOSTICS)
    return DIAGNOSTICS[name]
