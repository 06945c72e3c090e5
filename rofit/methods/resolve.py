"""A RunSpec and its method's parameters: read from text, checked, written in full.

Apart from `rofit.settings.spec`, because a method's Params come with the method, and
so with torch.
"""

from dataclasses import asdict
from typing import Any

from rofit.errors import unknown
from rofit.methods import find_kind, make_params
from rofit.methods.mixing import require_mixable
from rofit.settings.knobs import knob_types, parse_value
from rofit.settings.spec import RunSpec

# Fields that decide which parameters there are: they are read first.
_DECIDING = ("method", "labels_from", "weights_from")


def resolve(spec: RunSpec) -> RunSpec:
    """Return *spec* without method parameters that have their default value.

    Raises:
        UserError: no such method or parameter, a value out of its range, or a method
            that does not go with the augmentation.
    """
    kind = find_kind(spec)
    require_mixable(spec)
    default = asdict(make_params(kind, {}))
    params = asdict(make_params(kind, dict(spec.method_params)))
    changed = {key: value for key, value in params.items() if value != default[key]}
    return spec.replace(method_params=tuple(changed.items()))


def described(spec: RunSpec) -> dict[str, Any]:
    """Return what spec.json holds: ids, every field, every parameter resolved."""
    ids = {"run_id": spec.run_id, "family_id": spec.family_id}
    params = asdict(make_params(find_kind(spec), dict(spec.method_params)))
    return ids | spec.as_dict() | {"method_params": params}


def override(spec: RunSpec, settings: dict[str, str]) -> RunSpec:
    """Return *spec* with fields, or parameters of its method, read from text.

    Raises:
        UserError: a key that is neither, or a value that cannot be read.
    """
    fields, settings = knob_types(RunSpec), dict(settings)
    for key in _DECIDING:
        if key in settings:
            if key == "method":
                spec = spec.replace(method_params=())
            value = parse_value(key, settings.pop(key), fields[key])
            spec = spec.replace(**{key: value})
    kind = find_kind(spec)
    param_types = knob_types(kind.Params)
    changes: dict[str, Any] = {}
    method_params = dict(spec.method_params)
    for key, text in settings.items():
        if key in fields and key != "method_params":
            changes[key] = parse_value(key, text, fields[key])
        elif key in param_types:
            method_params[key] = parse_value(key, text, param_types[key])
        else:
            known = [*fields.keys() - {"method_params"}, *param_types]
            raise unknown(f"field (of a run or of {kind.name})", key, known)
    return resolve(spec.replace(**changes, method_params=tuple(method_params.items())))


def override_each(specs: list[RunSpec], settings: dict[str, str]) -> list[RunSpec]:
    """Return the specs with the settings, parameters where the run's method has them.

    Raises:
        UserError: a key that is neither a field nor a parameter of any of the methods,
            or a value that cannot be read.
    """
    known = [set(knob_types(find_kind(spec).Params)) for spec in specs]
    of_methods = set().union(*known)
    return [
        override(
            spec,
            {k: v for k, v in settings.items() if k in params or k not in of_methods},
        )
        for spec, params in zip(specs, known, strict=True)
    ]


def teachers(spec: RunSpec) -> dict[str, tuple[RunSpec, str]]:
    """Return the runs that *spec*'s method learns from, with the checkpoint of each.

    They are like it in everything but the method: data, network, schedule and seed.
    """
    plain = spec.replace(method_params=(), labels_from="", weights_from=())
    return {
        name: (plain.replace(method=method), checkpoint)
        for name, (method, checkpoint) in find_kind(spec).teachers.items()
    }


def all_teachers(specs: list[RunSpec]) -> list[RunSpec]:
    """Return the runs that any of *specs* learns from, none twice."""
    every = [teacher for spec in specs for teacher, _ in teachers(spec).values()]
    return list(dict.fromkeys(every))
