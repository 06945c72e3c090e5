"""Training methods: one file each, with Params (the source's defaults) and build()."""

from types import ModuleType
from typing import Any

from rofit.errors import look_up, unknown
from rofit.knobs import knob_types
from rofit.methods import (
    fast_at,
    label_smoothing,
    mart,
    pgd_at,
    sce,
    sglr,
    sgls,
    standard,
    trades,
)
from rofit.methods.method import Method

__all__ = ["METHODS", "Method", "find_method", "make_params"]

METHODS: dict[str, ModuleType] = {
    "standard": standard,
    "pgd_at": pgd_at,
    "label_smoothing": label_smoothing,
    "sgls": sgls,
    "sglr": sglr,
    "trades": trades,
    "mart": mart,
    "sce": sce,
    "fast_at": fast_at,
}


def find_method(name: str) -> ModuleType:
    """Return the module of the method called *name*.

    Raises:
        UserError: no such method.
    """
    return look_up("method", name, METHODS)


def make_params(name: str, settings: dict[str, Any]) -> Any:
    """Return the method's Params with some settings changed.

    Raises:
        UserError: no such method or parameter, or a value out of range.
    """
    params = find_method(name).Params
    for key in settings:
        if key not in knob_types(params):
            raise unknown(f"parameter of {name}", key, knob_types(params))
    return params(**settings)
