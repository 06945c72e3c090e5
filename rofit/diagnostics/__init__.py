"""Diagnostics: what is watched while a network trains, one file a measured thing."""

from rofit.diagnostics.diagnostic import EpochDiagnostic, StepDiagnostic
from rofit.diagnostics.gradient_norm import GradientNorm
from rofit.diagnostics.watch import Diagnostic, Watch
from rofit.errors import look_up

__all__ = ["DIAGNOSTICS", "Diagnostic", "Watch", "find_diagnostic"]

DIAGNOSTICS: dict[str, type[StepDiagnostic] | type[EpochDiagnostic]] = {
    "gradient_norm": GradientNorm,
}


def find_diagnostic(name: str) -> type[StepDiagnostic] | type[EpochDiagnostic]:
    """Return the diagnostic called *name*.

    Raises:
        UserError: no such diagnostic.
    """
    return look_up("diagnostic", name, DIAGNOSTICS)
