"""Diagnostics: what is watched while a network trains, one file a measured thing."""

from rofit.diagnostics.calibration import Calibration
from rofit.diagnostics.confidence import Confidence
from rofit.diagnostics.diagnostic import EpochDiagnostic, StepDiagnostic
from rofit.diagnostics.embedding import Embedding
from rofit.diagnostics.fisher_trace import FisherTrace
from rofit.diagnostics.gradient_norm import GradientNorm
from rofit.diagnostics.hessian import Hessian
from rofit.diagnostics.information_in_weights import InformationInWeights
from rofit.diagnostics.landscape import Landscape
from rofit.diagnostics.memorisation import Memorisation
from rofit.diagnostics.monitor import Diagnostic, Monitor
from rofit.diagnostics.predictions import Predictions
from rofit.diagnostics.sample_gradients import SampleGradients
from rofit.diagnostics.softness import Softness
from rofit.errors import look_up

__all__ = ["DIAGNOSTICS", "Diagnostic", "Monitor", "find_diagnostic"]

DIAGNOSTICS: dict[str, type[StepDiagnostic] | type[EpochDiagnostic]] = {
    "gradient_norm": GradientNorm,
    "confidence": Confidence,
    "calibration": Calibration,
    "memorisation": Memorisation,
    "softness": Softness,
    "predictions": Predictions,
    "embedding": Embedding,
    "sample_gradients": SampleGradients,
    "fisher_trace": FisherTrace,
    "information_in_weights": InformationInWeights,
    "hessian": Hessian,
    "landscape": Landscape,
}


def find_diagnostic(name: str) -> type[StepDiagnostic] | type[EpochDiagnostic]:
    """Return the diagnostic called *name*.

    Raises:
        UserError: no such diagnostic.
    """
    return look_up("diagnostic", name, DIAGNOSTICS)
