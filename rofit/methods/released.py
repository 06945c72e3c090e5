"""The recipe as_released: a run under the settings of its method's released code.

A method's file declares as AS_RELEASED what that code does otherwise than RunSpec's
defaults and the method's own: fields of the run, and parameters of the method.
"""

from collections.abc import Mapping
from typing import Any

from rofit.errors import UserError
from rofit.methods import METHODS, find_method
from rofit.methods.resolve import resolve
from rofit.settings.knobs import knob_types
from rofit.settings.recipes import AS_RELEASED
from rofit.settings.spec import RunSpec

RELEASED: dict[str, Mapping[str, Any]] = {
    name: module.AS_RELEASED
    for name, module in METHODS.items()
    if hasattr(module, "AS_RELEASED")
}


def as_released(spec: RunSpec) -> RunSpec:
    """Return *spec* as the released code of its method trains; data and model stay.

    Examples:
        >>> as_released(RunSpec(method="kd")).drops
        (0.25, 0.75)

    Raises:
        UserError: no such method, or none whose code is known.
    """
    find_method(spec.method)
    if spec.method not in RELEASED:
        raise UserError(
            f"recipe {AS_RELEASED} is of methods whose code is released with its "
            f"settings ({', '.join(RELEASED)}); of {spec.method} rofit has none: "
            "name another recipe, or none"
        )
    changes = RELEASED[spec.method]
    fields = {key: changes[key] for key in changes if key in knob_types(RunSpec)}
    params = {key: changes[key] for key in changes if key not in fields}
    params = dict(spec.method_params) | params
    return resolve(spec.replace(**fields, method_params=params))
