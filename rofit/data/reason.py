"""Words of others in few words, to be quoted inside a sentence of ours."""

import lzma
import struct
import tarfile
import tokenize
import zipfile
import zlib

from rofit.errors import escaped

# What readers of archives, images and arrays raise where bytes are not what they should
# be: of the general kinds all, as none of those readers says which.
PARSER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    Warning,
    lzma.LZMAError,
    struct.error,
    tarfile.TarError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)

_LONGEST_REASON = 160
_LONGEST_NAME = 400


def in_one_line(error: BaseException) -> str:
    """Return what *error* says, on one line of at most 160 characters.

    The operating system's own phrase where there is one, the error's type where it says
    nothing.

    Examples:
        >>> in_one_line(FileNotFoundError(2, "No such file or directory", "x.tar"))
        'No such file or directory'
        >>> in_one_line(EOFError())
        'EOFError'
    """
    phrase = error.strerror if isinstance(error, OSError) else None
    text = " ".join(str(phrase or error).split()) or type(error).__name__
    return _printable(text, _LONGEST_REASON)


def printable(name: object) -> str:
    r"""Return the name of a file as a terminal can show it, of at most 400 characters.

    Control characters and bytes that are not UTF-8 are escaped.

    Examples:
        >>> print(printable("train/cat\n\udce9/1.png"))
        train/cat\n\udce9/1.png
    """
    return _printable(str(name), _LONGEST_NAME)


def _printable(text: str, longest: int) -> str:
    return escaped(text if len(text) <= longest else text[: longest - 3] + "...")
