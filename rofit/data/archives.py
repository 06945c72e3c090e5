"""The files of a tar or zip archive, read in memory.

Nothing is ever unpacked to disk, so no member's name can reach a place outside.
"""

import stat
import tarfile
import zipfile
from pathlib import Path
from typing import NoReturn

from rofit.data.limits import check_entries, check_file, check_unpacked
from rofit.data.reason import PARSER_ERRORS, in_one_line, printable
from rofit.data.tars import MAGIC, open_tar
from rofit.errors import UserError

Parts = tuple[str, ...]

# Endings that a data set's name loses.
ENDINGS = (".tar.bz2", ".tar.gz", ".tar.xz", ".tbz2", ".tgz", ".txz", ".tar", ".zip")

# What file managers leave behind, next to everything that begins with a dot.
_CLUTTER = ("__MACOSX", "Thumbs.db", "desktop.ini")
# Types of a zip's members as Unix has them; 0 where another system made it.
_PLAIN = (0, stat.S_IFREG, stat.S_IFDIR)
# Packed bytes that are unpacked at once: zipfile bounds what comes of them for deflate
# alone, xz makes 7,000 times as much of them, bzip2 45 MB of every 40 bytes.
_AT_ONCE = {zipfile.ZIP_BZIP2: 64}
_AT_ONCE_ELSE = 4096


class Contents:
    """The files and folders of an archive by their path parts, as they are added.

    Attributes:
        files: the bytes of every file; hidden files and clutter are left out.
        folders: the folders that it lists.
    """

    def __init__(self, path: Path) -> None:
        self.files: dict[Parts, bytes] = {}
        self.folders: set[Parts] = set()
        self._path = path

    def parts(self, name: str) -> Parts:
        """Return the path parts of a member's name, none if it is to be left out.

        Raises:
            UserError: the name leads out of the archive.
        """
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        if ".." in parts:
            raise UserError(
                f"expected only paths inside {printable(self._path)}, found "
                f"{printable(name)}; pack the images from inside of their folder"
            )
        return () if is_clutter(parts) else parts

    def add(self, parts: Parts, data: bytes) -> None:
        """Add a file.

        Raises:
            UserError: there is another one of that path.
        """
        if self.files.setdefault(parts, data) != data:
            raise UserError(
                f"expected every file of {printable(self._path)} once, found two "
                f"different ones called {printable('/'.join(parts))}; pack it again"
            )


def read_archive(path: Path) -> tuple[dict[Parts, bytes], set[Parts]]:
    """Return the bytes of every file by its path parts, and the folders it lists.

    Hidden files and clutter are left out.

    Raises:
        UserError: if the file is empty, cut short, damaged, locked or no archive; if it
            holds more than `rofit.data.limits` allow, links or devices, paths that lead
            out of it, or two different files of one path.
        OSError: if it cannot be opened.
    """
    if not (size := path.stat().st_size):  # such files of /proc may wait for ever
        raise UserError(
            f"expected an archive of images at {printable(path)}, got an empty file; "
            "download or pack it again"
        )
    with path.open("rb") as file:
        head = file.read(6)
    contents = Contents(path)
    try:
        (_unzip if head.startswith(b"PK") else _untar)(path, size, contents)
    except UserError:
        raise
    except PARSER_ERRORS as error:
        if head.startswith((b"PK", *MAGIC)) or _is_tar(path):
            raise UserError(
                f"expected a whole tar or zip archive at {printable(path)}, got one "
                f"that is cut short, damaged or locked ({in_one_line(error)}); "
                "download or pack it again"
            ) from error
        raise UserError(
            f"expected a tar or zip archive, or a folder, at {printable(path)}, got a "
            "file that is neither; pack the images as train/<class>/ and test/<class>/"
        ) from error
    return contents.files, contents.folders


def is_clutter(parts: Parts) -> bool:
    """Return whether a path is hidden or something that file managers leave behind."""
    return any(part.startswith(".") or part in _CLUTTER for part in parts)


def _untar(path: Path, packed: int, contents: Contents) -> None:
    with open_tar(path, packed) as members:
        for number, member in enumerate(members):
            check_entries(number + 1, path)
            parts = contents.parts(member.name)
            if not parts:
                continue
            if member.kind == "folder":
                contents.folders.add(parts)
            elif member.kind == "file":
                check_file(member.size, member.name, path)
                contents.add(parts, member.read())
            else:
                _refuse(member.name, path)


def _unzip(path: Path, packed: int, contents: Contents) -> None:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _check_count(archive, packed)
        check_entries(len(members), path)
        for member in members:
            check_file(member.file_size, member.filename, path)
        check_unpacked(sum(member.file_size for member in members), packed, path)
        for member in members:
            parts = contents.parts(member.filename.replace("\\", "/"))
            if not parts:
                continue
            if stat.S_IFMT(member.external_attr >> 16) not in _PLAIN:
                _refuse(member.filename, path)
            if member.is_dir():
                contents.folders.add(parts)
            else:
                contents.add(parts, _read(archive, member))


def _check_count(archive: zipfile.ZipFile, packed: int) -> None:
    """Raise BadZipFile unless there are as many members as the archive's end says.

    A wrong length in the directory may hide the members after it from zipfile.
    """
    assert archive.fp is not None
    archive.fp.seek(packed - len(archive.comment) - 12)
    stated = int.from_bytes(archive.fp.read(2), "little")
    number = len(archive.infolist())
    if stated not in (number, 0xFFFF):  # which says that a larger field has it
        raise zipfile.BadZipFile(f"{number} members, not {stated}")


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    at_once = _AT_ONCE.get(member.compress_type, _AT_ONCE_ELSE)
    with archive.open(member) as stream:
        assert isinstance(stream, zipfile.ZipExtFile)
        stream.MIN_READ_SIZE = at_once
        return b"".join(iter(lambda: stream.read(at_once), b""))


def _refuse(name: str, path: Path) -> NoReturn:
    raise UserError(
        f"expected only files and folders in {printable(path)}, found "
        f"{printable(name)}, a link or device; pack the images themselves (tar "
        "--dereference --hard-dereference)"
    )


def _is_tar(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except PARSER_ERRORS:
        return False
