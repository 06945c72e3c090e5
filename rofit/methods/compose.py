"""Methods put together from others' parts: an objective, label rule, weight rules.

A label rule or a weight rule is taken from the method that is nothing else: the labels
of ``sglr``, the perturbation of ``awp``. What each method brings besides adversarial
training on given labels, its BRINGS says.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, make_dataclass, replace
from types import ModuleType
from typing import Any

from rofit.errors import UserError
from rofit.methods.inner import ATTACK_LABELS
from rofit.methods.method import Context, Method

# Parts that are weight rules, as an error calls them.
_PART_NAMES = {
    "perturbation": "a perturbation of the weights",
    "average": "an average of the weights, and one network is evaluated",
}


@dataclass(frozen=True)
class Kind:
    """A method that can be built, as its module or several make it.

    Attributes:
        name: what an error calls it.
        Params: dataclass of its settings.
        build: makes it of settings and of what it is built for.
        teachers: networks it learns from: name -> (method, checkpoint).
    """

    name: str
    Params: type
    build: Callable[[Any, Context], Method]
    teachers: Mapping[str, tuple[str, str]]


def kind_of(module: ModuleType) -> Kind:
    """Return the method of a module as it is."""
    name = module.__name__.rpartition(".")[2]
    teachers = getattr(module, "TEACHERS", {})
    return Kind(name, module.Params, module.build, teachers)


def composed(
    base: ModuleType,
    labels: ModuleType | None,
    weights: tuple[ModuleType, ...],
    methods: Mapping[str, ModuleType],
) -> Kind:
    """Return *base* with another's labels and others' weight rules.

    Raises:
        UserError: a part that is not there, that *base* has already, or that is given
            twice.
    """
    kind = kind_of(base)
    if labels is None and not weights:
        return kind
    donors = list(weights)
    if labels is not None:
        _check_labels(base, labels, methods)
        donors.append(labels)
    _check_weights(base, weights, methods)

    def build(params: Any, context: Context) -> Method:
        method = base.build(params, context)
        if labels is not None:
            method = _with_labels(method, labels, params, context)
        for module in weights:
            part = _part(module)
            donor = module.build(params, context)
            method = replace(method, **{part: getattr(donor, part)})
        return method

    name = "+".join([kind.name, *(kind_of(donor).name for donor in donors)])
    bases = tuple(module.Params for module in (base, *donors))
    params = make_dataclass("Params", [], bases=bases, frozen=True)
    return Kind(name, params, build, kind.teachers)


def _with_labels(
    method: Method, labels: ModuleType, params: Any, context: Context
) -> Method:
    """Return *method* on another's labels, which its attack climbs on if it does."""
    donor = labels.build(params, context)
    inner = method.inner
    if inner.attack and (inner.loss, inner.labels) == ATTACK_LABELS["given"]:
        inner = replace(inner, loss=donor.inner.loss, labels=donor.inner.labels)
        return replace(method, labels=donor.labels, inner=inner)
    default = labels.Params()
    if vars(params).get("attack_labels") != vars(default).get("attack_labels"):
        raise UserError(
            "attack_labels chooses the labels of an attack on cross entropy; this "
            "method has no such attack: leave it out"
        )
    return replace(method, labels=donor.labels)


def _check_labels(
    base: ModuleType, labels: ModuleType, methods: Mapping[str, ModuleType]
) -> None:
    base_name, labels_name = kind_of(base).name, kind_of(labels).name
    if labels.BRINGS != {"labels"}:
        label_rules = [
            name for name, module in methods.items() if module.BRINGS == {"labels"}
        ]
        raise UserError(
            f"labels can be taken from {', '.join(label_rules)}, which are label rules "
            f"and nothing else; {labels_name} is not"
        )
    if "labels" in base.BRINGS:
        raise UserError(
            f"{base_name} assigns labels of its own, which those of {labels_name} "
            f"would replace; begin from another method, or leave {labels_name} out"
        )


def _check_weights(
    base: ModuleType, weights: tuple[ModuleType, ...], methods: Mapping[str, ModuleType]
) -> None:
    owners = {part: kind_of(base).name for part in base.BRINGS}
    for module in weights:
        name = kind_of(module).name
        if not _is_weight_rule(module):
            weight_rules = [n for n, m in methods.items() if _is_weight_rule(m)]
            raise UserError(
                f"weight rules can be taken from {', '.join(weight_rules)}, which are "
                f"that and nothing else; {name} is not"
            )
        part = _part(module)
        if part in owners:
            raise UserError(
                f"{owners[part]} and {name} both bring {_PART_NAMES[part]}; give one"
            )
        owners[part] = name


def _is_weight_rule(module: ModuleType) -> bool:
    return len(module.BRINGS) == 1 and _part(module) in _PART_NAMES


def _part(module: ModuleType) -> str:
    (part,) = module.BRINGS
    return str(part)
