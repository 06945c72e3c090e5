"""Settings as dataclass fields with a meaning and a range, which can be read from text.

RunSpec and every method's Params are made of knobs, so one error speaks for all:
``epochs must be at least 1, got 0``.
"""

import dataclasses
import math
from fractions import Fraction
from functools import cache
from typing import Any, get_type_hints

from rofit.errors import UserError, unknown


def knob(
    default: Any,
    about: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Return a dataclass field with its meaning and range.

    Args:
        default: value that is left out of a run's name.
        about: what it is, in a phrase; a unit or a source where there is one.
        low: smallest value (of each element, for a tuple).
        high: largest value.
        choices: all values, for a text.
    """
    metadata = {"about": about, "low": low, "high": high, "choices": choices}
    return dataclasses.field(default=default, metadata=metadata)


class Knobs:
    """Base of a frozen dataclass of knobs: checked when it is made.

    Raises:
        UserError: a value of the wrong type or outside its range.
    """

    def __post_init__(self) -> None:
        """Check every field; a whole number becomes a float where one is meant."""
        types = knob_types(type(self))
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = _checked(field, types[field.name], getattr(self, field.name))
            object.__setattr__(self, field.name, value)


def knob_types(cls: Any) -> dict[str, Any]:
    """Return the fields of a dataclass with their types, in order."""
    return _knob_types(cls)


@cache
def _knob_types(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def parse_pair(text: str) -> tuple[str, str]:
    """Split ``key=value``.

    Raises:
        UserError: there is no equals sign or no key.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set expects key=value, got {text!r}")
    return key.strip(), value.strip()


def parse_value(name: str, text: str, kind: Any) -> Any:
    """Read *text* as the type of field *name*; a fraction is fine for a float.

    Example:
        >>> parse_value("epsilon", "8/255", float) == 8 / 255
        True
        >>> parse_value("drops", "0.5,0.75", tuple[float, ...])
        (0.5, 0.75)

    Raises:
        UserError: the text is not of that type.
    """
    if kind is str:
        return text
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise UserError(f"{name} must be true or false, got {text!r}")
        return text.lower() == "true"
    if kind in (int, float):
        return _number(name, text, kind)
    elements = [
        element for element in text.strip("()[] ").split(",") if element.strip()
    ]
    return tuple(
        parse_value(name, element.strip(), kind.__args__[0]) for element in elements
    )


def _number(name: str, text: str, kind: type) -> Any:
    try:
        if kind is float and "/" in text:
            numerator, denominator = text.split("/")
            return float(Fraction(numerator.strip()) / Fraction(denominator.strip()))
        return kind(text)
    except (ValueError, ZeroDivisionError, OverflowError):
        expected = "a whole number" if kind is int else "a number or a fraction (8/255)"
        raise UserError(f"{name} must be {expected}, got {text!r}") from None


def _checked(field: "dataclasses.Field[Any]", kind: Any, value: Any) -> Any:
    if not field.metadata:
        return value
    many = kind not in (int, float, bool, str)
    if many and not isinstance(value, tuple):
        raise UserError(f"{field.name} must be a tuple, got {value!r}")
    element_type = kind.__args__[0] if many else kind
    elements = tuple(
        _typed(field.name, element, element_type)
        for element in (value if many else (value,))
    )
    for element in elements:
        _check_range(field, element)
    return elements if many else elements[0]


def _typed(name: str, value: Any, kind: type) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise UserError(f"{name} must be {kind.__name__}, got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{name} must be finite, got {value}")
    return value


def _check_range(field: "dataclasses.Field[Any]", value: Any) -> None:
    low, high, choices = (field.metadata[key] for key in ("low", "high", "choices"))
    if choices and value not in choices:
        raise unknown(field.name, value, choices)
    if low is not None and not low <= value <= (math.inf if high is None else high):
        top = "" if high is None else f" and at most {high:g}"
        raise UserError(f"{field.name} must be at least {low:g}{top}, got {value:g}")
