"""How methods are called and coloured: as in every figure of the project."""

from typing import Any

from rofit.reproduction.catalog import load_figure
from rofit.settings.spec import RunSpec


def method_name(spec: RunSpec, *, label: bool = False) -> str:
    """Return ``trades+sglr``, or as a label ``TRADES + SGLR (our reading)``."""
    parts = (spec.method, spec.labels_from, *spec.weights_from)
    name = "+".join(part for part in parts if part)
    return str(_style().method_label(name)) if label else name


def colour(name: str) -> str:
    """Return a method's colour, ``#rrggbb``."""
    return str(_style().look_of(name).color)


def _style() -> Any:
    return load_figure("_style")
