"""Damage to files, as disks and hands do it."""

from pathlib import Path
from zipfile import ZipFile, is_zipfile


def flip(path: Path) -> None:
    """Flip a bit in the middle of a file, of an archive's largest member."""
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    if is_zipfile(path):  # between members is padding that nobody reads
        with ZipFile(path) as archive:
            member = max(archive.infolist(), key=lambda m: m.file_size)
            with archive.open(member) as file:
                middle = data.index(file.read()) + member.file_size // 2
    data[middle] ^= 1
    path.write_bytes(data)
