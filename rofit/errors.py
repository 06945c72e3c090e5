"""The one exception that means "your input", and the sentence for an unknown name.

The command line answers a UserError with its text and exit code 2; anything else is a
defect of ours or of the machine and exits with 1. However long the input was, a
message is one line, and repeats 200 characters of a value at most.
"""

import difflib
import errno
import re
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

# What torch says in a RuntimeError, of its own and of oneDNN's memory.
_ALLOCATORS = ("DefaultCPUAllocator", "could not create a memory object", "bad_alloc")
_LONGEST_WORD = 200  # of a value, or of a path
_LONGEST_SENTENCE = 1000


class UserError(ValueError):
    """Input that cannot be used: says what was expected, what came and what to do."""

    def __init__(self, sentence: str = "") -> None:
        """Keep the sentence, on one line and no longer than can be read."""
        super().__init__(one_line(sentence))


class RankLost(RuntimeError):
    """Another process of the same run has ended: what it kept stays."""


class Remark(UserWarning):
    """What is left out, or taken in place of something damaged: one sentence."""


class NothingToDraw(UserError):
    """None of an analysis's data are there: others may still be drawn."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of Python, torch or the system is a lack of memory.

    Examples:
        >>> is_out_of_memory(MemoryError()), is_out_of_memory(OSError(28, "full"))
        (True, False)
    """
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    by_name = type(error).__name__ == "OutOfMemoryError"  # of torch, for a GPU
    by_text = any(words in str(error) for words in _ALLOCATORS)
    return isinstance(error, MemoryError) or by_name or by_text


def one_line(sentence: str) -> str:
    r"""Return a sentence on one line, what cannot be printed escaped, long words cut.

    Examples:
        >>> print(one_line("no run 'a\nb'"))
        no run 'a\nb'
    """
    rough = _cut(sentence, 10 * _LONGEST_SENTENCE)
    line = re.sub(rf"\S{{{_LONGEST_WORD + 1},}}", lambda m: _cut(m[0]), escaped(rough))
    return _cut(line, _LONGEST_SENTENCE)


def escaped(text: str) -> str:
    """Return a text as a terminal can show it: what cannot be printed is escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def quoted(value: Any) -> str:
    """Return a value as Python writes it, in at most 200 characters.

    Examples:
        >>> quoted("8/255"), quoted(10**6), len(quoted("9" * 10**6))
        ("'8/255'", '1000000', 200)
    """
    try:
        return _cut(_SHORT.repr(value))
    except (ValueError, RecursionError):  # a whole number of too many digits
        return f"a value of {type(value).__name__} that is too long to show"


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

    Examples:
        >>> str(unknown("method", "pgdat", ["sgls", "pgd_at"]))
        "unknown method 'pgdat'; did you mean pgd_at? (known: pgd_at, sgls)"
    """
    names = sorted(known)
    near = difflib.get_close_matches(str(name)[:_LONGEST_WORD], names, 3, 0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    listing = f"known: {', '.join(names)}"
    return UserError(
        f"unknown {kind} {quoted(name)}; {hint}({listing})"
        if hint
        else f"unknown {kind} {quoted(name)}; {listing}"
    )


def _cut(text: str, longest: int = _LONGEST_WORD) -> str:
    """Return the text, without its middle if it is too long."""
    if len(text) <= longest:
        return text
    head = (longest - 3) // 2
    return f"{text[:head]}...{text[head + 3 - longest :]}"


def _shortening_repr() -> reprlib.Repr:
    short = reprlib.Repr()
    short.maxlevel = 4
    short.maxstring = short.maxother = short.maxlong = _LONGEST_WORD
    short.maxlist = short.maxtuple = short.maxdict = 40
    return short


_SHORT = _shortening_repr()
