"""From a file to a ForeignLog: which layout it is, and what can be no log.

LAYOUTS lists the programs whose prints are known; a new one is a file and a line here.
"""

import codecs
import hashlib
import re
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from rofit.errors import UserError, quoted
from rofit.interop.logs import (
    fastat,
    robust_overfitting,
    sgls,
    tables,
    tensorboard,
    trades,
)
from rofit.interop.logs.foreign import ForeignLog

LAYOUTS: dict[str, ModuleType] = {
    module.LAYOUT: module for module in (robust_overfitting, trades, sgls, fastat)
}
TABLES = ("csv", "jsonl", tensorboard.LAYOUT)

LARGEST_FILE = 64_000_000  # bytes; a log of 500 epochs has 0.1 MB
_HEAD = 200_000  # characters in which a layout shows
_LONGEST_LINE = 20_000  # characters; the settings that a program prints have 1,000
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_PACKED = {b"\x1f\x8b": "gzip", b"PK": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}


class ReadLog(NamedTuple):
    """A log, with what it is called: layout, file name, digest of the bytes."""

    log: ForeignLog
    layout: str
    file: str
    sha256: str


def digest(path: Path) -> str:
    """Return the sha256 of a file's bytes, or of all event files of a folder.

    Raises:
        UserError: there is none, it cannot be read or is too large.
    """
    total = hashlib.sha256()
    files = tensorboard.event_files(path) if path.is_dir() else [path]
    if not files:
        raise UserError(f"{path} is a folder without event files; name a log in it")
    for file in files:
        total.update(_bytes(file))
    return total.hexdigest()


def read_log(path: Path, columns: dict[str, str]) -> ReadLog:
    """Return a log of any layout.

    Args:
        path: of the file, or a folder of TensorBoard's event files.
        columns: of a table: their column -> our tag.

    Raises:
        UserError: it is no log that is known, with its path.
    """
    sha256 = digest(path)
    try:
        if tensorboard.event_files(path):
            log, layout = tensorboard.read_events(path, columns), tensorboard.LAYOUT
        else:
            log, layout = _read_text(_text(path), columns)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return ReadLog(log, layout, path.resolve().name, sha256)


def _read_text(text: str, columns: dict[str, str]) -> tuple[ForeignLog, str]:
    head = text[:_HEAD]
    for name, module in LAYOUTS.items():
        if module.recognise(head):
            if columns:
                raise UserError(f"--columns is for tables, and this is a log of {name}")
            cut = (line[:_LONGEST_LINE] for line in text.splitlines())
            return module.read("\n".join(cut)), name
    if tables.is_json_lines(text):
        return tables.read_json_lines(text, columns), "jsonl"
    if tables.is_table(head):
        return tables.read_table(text, columns), "csv"
    known = ", ".join(LAYOUTS)
    raise UserError(
        f"no layout that is known ({known}); a table with names in its first line "
        "(CSV, JSON lines) is read with --columns test/pgd20/accuracy=NAME"
    )


def _text(path: Path) -> str:
    """Return the text of a file, without a terminal's colours and overwritten lines."""
    data = _bytes(path)
    for mark, program in _PACKED.items():
        if data.startswith(mark):
            raise UserError(f"it is packed ({program}); unpack it first")
    encoding = next((e for mark, e in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        if b"\0" in data:
            raise UserError("it is no text, and no event file by its name") from None
        text = data.decode("latin-1")
    if "\0" in text:
        raise UserError("it is no text, and no event file by its name")
    if re.match(r"\s*(<!doctype|<html|<\?xml)", text[:1000], re.IGNORECASE):
        raise UserError("it is a web page; download the file itself (raw)")
    if not text.strip():
        raise UserError("it is empty")
    return _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise UserError(f"there is no file {quoted(str(path))}")
        if (size := path.stat().st_size) > LARGEST_FILE:
            raise UserError(
                f"expected a log of at most {LARGEST_FILE / 1e6:.0f} MB, got "
                f"{size / 1e6:,.0f} MB: {path}"
            )
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None
