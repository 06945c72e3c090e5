"""The files of a tar or zip archive, read in memory.

Nothing is ever unpacked to disk, so no member's name can reach a place outside.
"""

import lzma
import tarfile
import zipfile
import zlib
from pathlib import Path

from rofit.data.reason import in_one_line
from rofit.errors import UserError

Parts = tuple[str, ...]

# Endings that a data set's name loses.
ENDINGS = (".tar.bz2", ".tar.gz", ".tar.xz", ".tbz2", ".tgz", ".txz", ".tar", ".zip")

# First bytes of zip, gzip, bzip2 and xz: an archive once, even if it cannot be opened.
_MAGIC = (b"PK", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
# What file managers leave behind, next to everything that begins with a dot.
_CLUTTER = ("__MACOSX", "Thumbs.db", "desktop.ini")
# RuntimeError: zipfile's word for a password or a compression that it does not know.
_DAMAGE = (
    EOFError,
    OSError,
    RuntimeError,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_archive(path: Path) -> tuple[dict[Parts, bytes], set[Parts]]:
    """Return the bytes of every file by its path parts, and the folders it lists.

    Hidden files and clutter are left out.

    Raises:
        UserError: if the file is empty, cut short, damaged or no archive.
        OSError: if it cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(6)
    if not head:
        raise UserError(
            f"expected an archive of images at {path}, got an empty file; download or "
            "pack it again"
        )
    try:
        return _unzip(path) if head.startswith(b"PK") else _untar(path)
    except _DAMAGE as error:
        if head.startswith(_MAGIC) or _is_tar(path):
            raise UserError(
                f"expected a whole tar or zip archive at {path}, got one that is cut "
                f"short, damaged or locked ({in_one_line(error)}); download or pack it "
                "again"
            ) from error
        raise UserError(
            f"expected a tar or zip archive, or a folder, at {path}, got a file that "
            "is neither; pack the images as train/<class>/ and test/<class>/"
        ) from error


def is_clutter(parts: Parts) -> bool:
    """Return whether a path is hidden or something that file managers leave behind."""
    return any(part.startswith(".") or part in _CLUTTER for part in parts)


def _untar(path: Path) -> tuple[dict[Parts, bytes], set[Parts]]:
    files: dict[Parts, bytes] = {}
    folders: set[Parts] = set()
    with tarfile.open(path, "r:*") as tar:
        for member in tar:
            parts = _parts(member.name)
            if not parts or is_clutter(parts):
                continue
            if member.isdir():
                folders.add(parts)
            elif member.isreg():
                data = tar.extractfile(member)
                assert data is not None
                files[parts] = data.read()
            else:
                raise UserError(
                    f"expected only files and folders in {path}, found {member.name}, "
                    "a link or device; pack the images themselves (tar --dereference)"
                )
        _check_end(tar)
    return files, folders


def _check_end(tar: tarfile.TarFile) -> None:
    """Raise ReadError unless the block of zeros that ends a tar archive is there.

    Python takes a cut or damaged header after the first member for the end.
    """
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("no end-of-archive mark")
    while tar.fileobj.read(1 << 20):
        pass  # To the end of the stream, where gzip and xz keep their checksums.


def _unzip(path: Path) -> tuple[dict[Parts, bytes], set[Parts]]:
    files: dict[Parts, bytes] = {}
    folders: set[Parts] = set()
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            parts = _parts(member.filename.replace("\\", "/"))
            if not parts or is_clutter(parts):
                continue
            if member.is_dir():
                folders.add(parts)
            else:
                files[parts] = archive.read(member)
    return files, folders


def _is_tar(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except _DAMAGE:
        return False


def _parts(name: str) -> Parts:
    return tuple(part for part in name.split("/") if part not in ("", "."))
