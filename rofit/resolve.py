"""A RunSpec and its method's parameters: read from text, checked, told in full.

Apart from rofit.spec because a method's Params come with the method, and so with torch.
"""

from dataclasses import asdict
from typing import Any

from rofit.errors import unknown
from rofit.knobs import knob_types, parse_value
from rofit.methods import find_method, make_params
from rofit.spec import RunSpec


def resolve(spec: RunSpec) -> RunSpec:
    """Return *spec* without method parameters that have their default value.

    Raises:
        UserError: no such method or parameter, or a value out of its range.
    """
    default = asdict(make_params(spec.method, {}))
    wanted = asdict(make_params(spec.method, dict(spec.method_params)))
    told = {key: value for key, value in wanted.items() if value != default[key]}
    return spec.replace(method_params=tuple(told.items()))


def described(spec: RunSpec) -> dict[str, Any]:
    """Return what spec.json holds: ids, every field, every parameter resolved."""
    ids = {"run_id": spec.run_id, "family_id": spec.family_id}
    params = asdict(make_params(spec.method, dict(spec.method_params)))
    return ids | spec.as_dict() | {"method_params": params}


def override(spec: RunSpec, settings: dict[str, str]) -> RunSpec:
    """Return *spec* with fields, or parameters of its method, read from text.

    Raises:
        UserError: a key that is neither, or a value that cannot be read.
    """
    if "method" in settings:  # first: it decides which parameters there are
        settings = dict(settings)
        spec = spec.replace(method=settings.pop("method"), method_params=())
    fields, params = knob_types(RunSpec), knob_types(find_method(spec.method).Params)
    changes: dict[str, Any] = {}
    told = dict(spec.method_params)
    for key, text in settings.items():
        if key in fields and key != "method_params":
            changes[key] = parse_value(key, text, fields[key])
        elif key in params:
            told[key] = parse_value(key, text, params[key])
        else:
            known = [*fields.keys() - {"method_params"}, *params]
            raise unknown(f"field (of a run or of {spec.method})", key, known)
    return resolve(spec.replace(**changes, method_params=tuple(told.items())))


def override_each(specs: list[RunSpec], settings: dict[str, str]) -> list[RunSpec]:
    """Return the specs with the settings; a method's parameter goes to who has it.

    Raises:
        UserError: a key that is neither a field nor a parameter of any of the methods,
            or a value that cannot be read.
    """
    own = {s.method: set(knob_types(find_method(s.method).Params)) for s in specs}
    somebodys = set().union(*own.values())
    for_others = {spec.method: somebodys - own[spec.method] for spec in specs}
    return [
        override(
            spec,
            {k: v for k, v in settings.items() if k not in for_others[spec.method]},
        )
        for spec in specs
    ]
