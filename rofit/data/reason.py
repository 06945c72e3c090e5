"""Somebody else's error in a few words, to be quoted inside a sentence of ours."""

_LONGEST = 160


def in_one_line(error: BaseException) -> str:
    """Return what *error* says, on one line of at most 160 characters.

    The operating system's own phrase where there is one, the error's type where it says
    nothing.

    Example:
        >>> in_one_line(FileNotFoundError(2, "No such file or directory", "x.tar"))
        'No such file or directory'
        >>> in_one_line(EOFError())
        'EOFError'
    """
    phrase = error.strerror if isinstance(error, OSError) else None
    text = " ".join(str(phrase or error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
