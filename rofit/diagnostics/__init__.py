"""Diagnostics: what is watched while a network trains, one file a measured thing."""

from rofit.diagnostics.diagnostic import Diagnostic, Watch
from rofit.diagnostics.gradient_norm import GradientNorm
from rofit.errors import look_up

__all__ = ["DIAGNOSTICS", "Diagnostic", "Watch", "find_diagnostic"]

DIAGNOSTICS: dict[str, type[Diagnostic]] = {
    "gradient_norm": GradientNorm,
}


def find_diagnostic(name: str) -> type[Diagnostic]:
    """Return the diagnostic called *name*.

    Raises:
        UserError: no such diagnostic.
    """
    return look_up("diagnostic", name, DIAGNOSTICS)
