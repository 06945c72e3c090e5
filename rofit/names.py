"""Names that files and folders are called by: nothing in them leads elsewhere."""

from typing import Any

from rofit.errors import UserError, quoted

LONGEST_NAME = 100  # bytes; a run's folder has two of them, and file systems take 255


def check_name(kind: str, name: Any, longest: int = LONGEST_NAME) -> None:
    """Raise UserError unless *name* can be one part of a path, and of a sentence.

    Args:
        kind: what it is the name of.
        name: of at least 1 character that can be printed, none of them / or a
            backslash; neither ``.`` nor ``..``.
        longest: number of bytes in UTF-8.
    """
    if not isinstance(name, str):
        raise UserError(f"{kind} must be a name, got {quoted(name)}")
    if not name:
        raise UserError(f"{kind} must be a name, got an empty one")
    if not name.isprintable() or {"/", "\\"} & set(name) or name in (".", ".."):
        raise UserError(
            f"{kind} must be a name that a folder can have, without / and such, "
            f"got {quoted(name)}"
        )
    if (size := len(name.encode())) > longest:
        raise UserError(
            f"{kind} must be a name of at most {longest} bytes, got {size:,}: "
            f"{quoted(name)}"
        )
