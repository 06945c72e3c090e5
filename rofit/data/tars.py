"""A tar archive, compressed or not, read from its beginning to its end within limits.

tarfile believes what headers say: sizes of 2 GiB in a file of 3 MB, negative ones.
"""

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from rofit.data.limits import LARGEST_FILE, check_unpacked

# First bytes of what a tar may be compressed by, and what opens it.
MAGIC: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
    b"\x5d\0\0": lzma.open,
}
# Long names and attributes, which stand before the header of a member.
_LONGEST_NAMES = 1 << 20


class Member(NamedTuple):
    """A member of a tar archive.

    Attributes:
        name: its path in the archive.
        kind: ``file``, ``folder`` or ``other``, a link or a device.
        size: bytes of a file.
        read: returns the bytes of a file; to be called before the next member.
    """

    name: str
    kind: str
    size: int
    read: Callable[[], bytes]


@contextmanager
def open_tar(path: Path, packed: int) -> Iterator[Iterator[Member]]:
    """Give the members of a tar archive of *packed* bytes, its end checked at the end.

    Raises:
        UserError: if it unpacks to more than `check_unpacked` allows.
        OSError, tarfile.TarError and others: if it is damaged or none.
    """
    with path.open("rb") as file:
        head = file.read(max(map(len, MAGIC)))
    magic = next((begin for begin in MAGIC if head.startswith(begin)), None)
    with MAGIC[magic](path) if magic else path.open("rb") as stream:
        bounded: Any = _Bounded(stream, packed, path)  # all of a file that is used
        with tarfile.open(fileobj=bounded, mode="r:") as tar:
            yield _members(tar, bounded)


def _members(tar: Any, stream: "_Bounded") -> Iterator[Member]:
    end = -1
    while (member := tar.next()) is not None:
        # Python before 3.12.12 goes back where a size is negative, and for ever.
        if member.size < 0 or tar.offset <= end:
            raise tarfile.ReadError("a member of negative size")
        end = tar.offset
        kind = "folder" if member.isdir() else "file" if member.isreg() else "other"
        yield Member(member.name, kind, member.size, _reader(tar, member, stream))
        tar.members.clear()  # a kilobyte each
    _check_end(tar, stream)


def _reader(
    tar: tarfile.TarFile, member: tarfile.TarInfo, stream: "_Bounded"
) -> Callable[[], bytes]:
    def read() -> bytes:
        data = tar.extractfile(member)
        assert data is not None
        stream.largest = LARGEST_FILE
        try:
            return data.read()
        finally:
            stream.largest = _LONGEST_NAMES

    return read


def _check_end(tar: tarfile.TarFile, stream: "_Bounded") -> None:
    """Raise ReadError unless zeros end a tar archive, a block at least, and no more.

    Python takes a cut, damaged or zeroed header after the first member for the end.
    """
    stream.seek(tar.offset)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("no end-of-archive mark")
    # To the end of the stream, where gzip and xz keep their checksums.
    while block := stream.read(_LONGEST_NAMES):
        if block.strip(b"\0"):
            raise tarfile.ReadError("more after its end")


class _Bounded:
    """A stream that is read neither far nor much at once."""

    def __init__(self, stream: IO[bytes], packed: int, path: Path) -> None:
        self.largest = _LONGEST_NAMES
        self._stream, self._packed, self._path = stream, packed, path

    def read(self, size: int) -> bytes:
        """Return the next *size* bytes, or fewer at the end."""
        if not 0 <= size <= self.largest:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        check_unpacked(self._stream.tell() + size, self._packed, self._path)
        return self._stream.read(size)

    def seek(self, position: int) -> int:
        """Go to *position*."""
        check_unpacked(position, self._packed, self._path)
        return self._stream.seek(position)

    def tell(self) -> int:
        """Return the position."""
        return self._stream.tell()
