"""The one exception that means "your input", and the sentence for an unknown name.

The command line answers a UserError with its text and exit code 2; anything else is a
defect of ours or of the machine and exits with 1.
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


class UserError(ValueError):
    """Input that cannot be used: says what was expected, what came and what to do."""


class NothingToDraw(UserError):
    """None of an analysis's data are there: others may still be drawn."""


def look_up(kind: str, name: str, registry: Mapping[str, T]) -> T:
    """Return what a registry holds under *name*.

    Raises:
        UserError: nothing; the nearest names are listed.
    """
    if name not in registry:
        raise unknown(kind, name, registry)
    return registry[name]


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """Return the error for a name that is not in a registry, nearest names first.

    Example:
        >>> str(unknown("method", "pgdat", ["sgls", "pgd_at"]))
        "unknown method 'pgdat'; did you mean pgd_at? (known: pgd_at, sgls)"
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    listing = f"known: {', '.join(names)}"
    return UserError(
        f"unknown {kind} {name!r}; {hint}({listing})"
        if hint
        else f"unknown {kind} {name!r}; {listing}"
    )
