"""rofit: what robust overfitting is made of, measured.

For notebooks: ``from rofit import RunSpec, train, evaluate, load_logs``. Importing
rofit imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rofit.measures.metrics import best_last_gap, compare
    from rofit.running.doors import evaluate, train
    from rofit.settings.spec import RunSpec
    from rofit.store.rows import load_logs
    from rofit.store.samples import load_samples

__all__ = [
    "RunSpec",
    "best_last_gap",
    "compare",
    "evaluate",
    "load_logs",
    "load_samples",
    "train",
]
__version__ = "0.1.0"

_HOMES = {
    "RunSpec": "rofit.settings.spec",
    "train": "rofit.running.doors",
    "evaluate": "rofit.running.doors",
    "load_logs": "rofit.store.rows",
    "load_samples": "rofit.store.samples",
    "best_last_gap": "rofit.measures.metrics",
    "compare": "rofit.measures.metrics",
}


def __getattr__(name: str) -> Any:
    """Import a public name where it is first used: pandas takes half a second."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rofit' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
