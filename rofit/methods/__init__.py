"""Training methods: one file each, with BRINGS, Params (the source's values), build().

Where the settings of its source's code are known, with AS_RELEASED as well. A file in
this folder is a method; it is listed nowhere else. So is one that ROFIT_METHODS names.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from rofit.errors import look_up, unknown
from rofit.methods.compose import Kind, composed
from rofit.methods.method import Context, Method
from rofit.methods.own import own_methods
from rofit.settings.knobs import knob_types
from rofit.settings.spec import RunSpec

__all__ = ["METHODS", "Context", "Kind", "Method", "find_kind", "find_method"]

# What methods are made with.
_NOT_METHODS = ("compose", "inner", "method", "mixing", "own", "released", "resolve")

METHODS: dict[str, ModuleType] = {
    module.name: import_module(f"{__name__}.{module.name}")
    for module in iter_modules(__path__)
    if module.name not in _NOT_METHODS
}
METHODS |= own_methods({*METHODS, *_NOT_METHODS})


def find_method(name: str) -> ModuleType:
    """Return the module of the method called *name*.

    Raises:
        UserError: no such method.
    """
    return look_up("method", name, METHODS)


def find_kind(spec: RunSpec) -> Kind:
    """Return the method of a run, with the parts that are taken from others.

    Raises:
        UserError: no such method, or parts that do not go together.
    """
    return _kind(spec.method, spec.labels_from, spec.weights_from)


@cache
def _kind(method: str, labels_from: str, weights_from: tuple[str, ...]) -> Kind:
    labels = find_method(labels_from) if labels_from else None
    weights = tuple(find_method(name) for name in weights_from)
    return composed(find_method(method), labels, weights, METHODS)


def make_params(kind: Kind, settings: dict[str, Any]) -> Any:
    """Return the Params of a kind of method with some settings changed.

    Raises:
        UserError: no such parameter, or a value out of range.
    """
    for key in settings:
        if key not in knob_types(kind.Params):
            raise unknown(f"parameter of {kind.name}", key, knob_types(kind.Params))
    return kind.Params(**settings)
