"""Settings as dataclass fields that know their meaning and range, and read from text.

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
    known = {"about": about, "low": low, "high": high, "choices": choices}
    return dataclasses.field(default=default, metadata=known)


class Knobs:
    """Base of a frozen dataclass of knobs: checked when it is made.

    Raises:
        UserError: a value of the wrong type or outside its range.
    """

    def __post_init__(self) -> None:
        """Check every field; a whole number becomes a float where one is meant."""
        types = knob_types(type(self))
        for each in dataclasses.fields(self):  # type: ignore[arg-type]
            value = _checked(each, types[each.name], getattr(self, each.name))
            object.__setattr__(self, each.name, value)


def knob_types(cls: Any) -> dict[str, Any]:
    """Return the fields of a dataclass with their types, in order."""
    return _knob_types(cls)


@cache
def _knob_types(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {each.name: hints[each.name] for each in dataclasses.fields(cls)}


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
    parts = [part for part in text.strip("()[] ").split(",") if part.strip()]
    return tuple(parse_value(name, part.strip(), kind.__args__[0]) for part in parts)


def _number(name: str, text: str, kind: type) -> Any:
    try:
        if kind is float and "/" in text:
            over, under = text.split("/")
            return float(Fraction(over.strip()) / Fraction(under.strip()))
        return kind(text)
    except (ValueError, ZeroDivisionError, OverflowError):
        wanted = "a whole number" if kind is int else "a number or a fraction (8/255)"
        raise UserError(f"{name} must be {wanted}, got {text!r}") from None


def _checked(each: "dataclasses.Field[Any]", kind: Any, value: Any) -> Any:
    if not each.metadata:
        return value
    many = kind not in (int, float, bool, str)
    if many and not isinstance(value, tuple):
        raise UserError(f"{each.name} must be a tuple, got {value!r}")
    element = kind.__args__[0] if many else kind
    parts = tuple(
        _typed(each.name, part, element) for part in (value if many else (value,))
    )
    for part in parts:
        _check_range(each, part)
    return parts if many else parts[0]


def _typed(name: str, value: Any, kind: type) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise UserError(f"{name} must be {kind.__name__}, got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{name} must be finite, got {value}")
    return value


def _check_range(each: "dataclasses.Field[Any]", part: Any) -> None:
    low, high, choices = (each.metadata[key] for key in ("low", "high", "choices"))
    if choices and part not in choices:
        raise unknown(each.name, part, choices)
    if low is not None and not low <= part <= (math.inf if high is None else high):
        top = "" if high is None else f" and at most {high:g}"
        raise UserError(f"{each.name} must be at least {low:g}{top}, got {part:g}")
