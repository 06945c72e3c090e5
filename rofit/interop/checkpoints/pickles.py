"""Which functions and classes a pickle names, read from its opcodes: none is imported.

torch's loader names the first one that it refuses, but not in pickles of a later
protocol than its own files have.
"""

import pickletools
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile, is_zipfile

_HARMLESS = ("torch.", "collections.OrderedDict")
_MOST = 5  # names in a sentence
_LONGEST = 2**26  # bytes; the numbers come after the names


def imported_names(path: Path) -> list[str]:
    """Return the first names that a file's pickles import, but those of tensors."""
    names: list[str] = []
    for pickle in _pickles(path):
        for name in _names(pickle):
            if not name.startswith(_HARMLESS) and name not in names:
                names.append(name)
    return names[:_MOST]


def _pickles(path: Path) -> list[bytes]:
    if not is_zipfile(path):
        with path.open("rb") as file:
            return [file.read(_LONGEST)]
    with ZipFile(path) as archive:
        names = [n for n in archive.namelist() if n.endswith("/data.pkl")]
        return [archive.read(name) for name in names]


def _names(data: bytes) -> Iterator[str]:
    """Yield ``module.name`` of every import, in all pickles that stand in a row."""
    texts: list[str] = []  # as they come onto the stack
    memo: dict[int, str] = {}
    begin = 0
    while begin < len(data):
        try:
            for opcode, argument, position in pickletools.genops(data[begin:]):
                if opcode.name in ("GLOBAL", "INST"):
                    yield str(argument).replace(" ", ".")
                elif opcode.name == "STACK_GLOBAL":
                    yield ".".join(texts[-2:])
                elif isinstance(argument, str):
                    texts.append(argument)
                elif opcode.name == "MEMOIZE" and texts:
                    memo[len(memo)] = texts[-1]
                elif opcode.name.endswith("BINGET") and argument in memo:
                    texts.append(memo[argument])
                elif opcode.name == "STOP":
                    begin += (position or 0) + 1
        except (ValueError, IndexError):  # what follows is no pickle
            return
