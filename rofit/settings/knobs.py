"""Settings as dataclass fields with a meaning and a range, which can be read from text.

RunSpec and every method's Params are made of knobs, so one error speaks for all:
``epochs must be at least 1, got 0``.
"""

import dataclasses
import math
from fractions import Fraction
from functools import cache
from typing import Any, get_type_hints

from rofit.errors import UserError, quoted, unknown

_LONGEST_TEXT = 1000  # characters
_LONGEST_TUPLE = 100  # elements
_LARGEST_INT = 2**63 - 1  # what a column of a table holds


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
        high: largest value; every number of rofit's own has one, so that none can
            hang a command or take all memory.
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
    if not equals or not key.strip() or not text.isprintable():
        raise UserError(f"--set expects key=value, got {quoted(text)}")
    return key.strip(), value.strip()


def parse_value(name: str, text: str, kind: Any) -> Any:
    """Read *text* as the type of field *name*; a fraction is fine for a float.

    Examples:
        >>> parse_value("epsilon", "8/255", float) == 8 / 255
        True
        >>> parse_value("drops", "0.5,0.75", tuple[float, ...])
        (0.5, 0.75)

    Raises:
        UserError: the text is not of that type, or longer than any value is.
    """
    if len(text) > _LONGEST_TEXT:
        raise _too_long(name, text, _LONGEST_TEXT, "characters")
    if kind is str:
        return text
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise UserError(f"{name} must be true or false, got {quoted(text)}")
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
            return float(_exact(numerator) / _exact(denominator))
        return kind(text)
    except (ValueError, ZeroDivisionError, OverflowError):
        expected = "a whole number" if kind is int else "a number or a fraction (8/255)"
        raise UserError(f"{name} must be {expected}, got {quoted(text)}") from None


def _exact(text: str) -> Fraction:
    """Return a finite number exactly; Fraction itself writes out all of 1e999999999."""
    if not math.isfinite(float(text)):
        raise ValueError
    return Fraction(text.strip()) if float(text) else Fraction(0)


def _checked(field: "dataclasses.Field[Any]", kind: Any, value: Any) -> Any:
    if not field.metadata:
        return value
    many = kind not in (int, float, bool, str)
    if many and not isinstance(value, tuple):
        raise UserError(f"{field.name} must be a tuple, got {quoted(value)}")
    if many and len(value) > _LONGEST_TUPLE:
        raise _too_long(field.name, value, _LONGEST_TUPLE, "elements")
    element_type = kind.__args__[0] if many else kind
    elements = tuple(
        _typed(field.name, element, element_type)
        for element in (value if many else (value,))
    )
    for element in elements:
        _check_range(field, element)
    return elements if many else elements[0]


def _typed(name: str, value: Any, kind: type) -> Any:
    check_plain(name, value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise UserError(f"{name} must be {kind.__name__}, got {quoted(value)}")
    return value or kind()  # -0.0 becomes 0.0


def check_plain(name: str, value: Any) -> None:
    """Raise UserError for a number or a text that no setting can be.

    Infinite, not a number, of more than 64 bits, of more than 1,000 characters.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{name} must be finite, got {value}")
    if isinstance(value, int) and not -_LARGEST_INT <= value <= _LARGEST_INT:
        raise UserError(f"{name} must be of at most 64 bits, got {quoted(value)}")
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        raise _too_long(name, value, _LONGEST_TEXT, "characters")


def _too_long(name: str, value: Any, longest: int, unit: str) -> UserError:
    return UserError(
        f"{name} must have at most {longest:,} {unit}, got {len(value):,}: "
        f"{quoted(value)}"
    )


def _check_range(field: "dataclasses.Field[Any]", value: Any) -> None:
    low, high, choices = (field.metadata[key] for key in ("low", "high", "choices"))
    if choices and value not in choices:
        raise unknown(field.name, value, choices)
    if low is not None and not low <= value <= (math.inf if high is None else high):
        top = "" if high is None else f" and at most {_written(high)}"
        raise UserError(
            f"{field.name} must be at least {_written(low)}{top}, got {_written(value)}"
        )


def _written(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:.15g}"
