"""A method's parameters inside a RunSpec: sorted pairs, which hash and compare."""

from typing import Any

from rofit.errors import UserError, quoted
from rofit.names import check_name
from rofit.settings.knobs import check_plain

Params = tuple[tuple[str, Any], ...]


def as_pairs(params: Any) -> Params:
    """Return method parameters, a mapping or pairs, as sorted pairs.

    Their ranges are checked where the method's own are known; here that they are what
    a setting can be.

    Raises:
        UserError: neither a mapping nor pairs, or a value that no setting can be.
    """
    try:
        pairs = sorted((k, as_tuple(v)) for k, v in dict(params).items())
    except (TypeError, ValueError):
        raise UserError(
            f"method_params must map names to values, got {quoted(params)}"
        ) from None
    for name, value in pairs:
        check_name("a method parameter", name)
        for element in value if isinstance(value, tuple) else (value,):
            if not isinstance(element, bool | int | float | str):
                raise UserError(
                    f"{name} must be a number, a text, true or false, or several, "
                    f"got {quoted(value)}"
                )
            check_plain(name, element)
    return tuple(pairs)


def as_tuple(value: Any) -> Any:
    """Return a list as a tuple, any other value as it is."""
    return tuple(value) if isinstance(value, list) else value
