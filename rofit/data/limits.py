"""How much an archive or a folder may hold, so that a small file fills no memory.

Generous for small images: ImageNet at 32x32 pixels fits (1.3 million of them, 4.1 GB).
"""

from pathlib import Path

from rofit.data.reason import printable
from rofit.errors import UserError

# Bytes of one file, of all files, and of all pixels; all are held in memory.
LARGEST_FILE = 64_000_000
LARGEST_SOURCE = LARGEST_PIXELS = 2**32
# Files and folders; what each costs is mostly its name and its header.
MOST_ENTRIES = 2_000_000
# Pixels of one image, of 4,096 x 4,096.
LARGEST_IMAGE = 2**24
# An archive of images unpacks to a few times its size; a bomb to 1,000 times and more.
_MOST_TIMES, _ANY_TIMES_BELOW = 100, 64_000_000


def check_file(size: int, name: object, path: Path) -> None:
    """Raise UserError if a file is too large for an image.

    Args:
        size: its bytes.
        name: where it is in the archive or the folder, for messages.
        path: the archive or the folder.
    """
    if size > LARGEST_FILE:
        raise UserError(
            f"expected files of at most {_mb(LARGEST_FILE)} in {printable(path)}, got "
            f"{_mb(size)} in {printable(name)}; resize or remove it"
        )


def check_source(size: int, path: Path) -> None:
    """Raise UserError if an archive or a folder holds more than *size* allows."""
    if size > LARGEST_SOURCE:
        raise UserError(
            f"expected at most {_mb(LARGEST_SOURCE)} in {printable(path)}, got "
            f"{_mb(size)}; resize the images or take fewer"
        )


def check_unpacked(size: int, packed: int, path: Path) -> None:
    """Raise UserError if an archive unpacks to more than an archive of images does.

    Args:
        size: bytes unpacked so far, or in all.
        packed: bytes of the archive.
        path: the archive.
    """
    check_source(size, path)
    if size > max(_ANY_TIMES_BELOW, _MOST_TIMES * packed):
        raise UserError(
            f"expected images in {printable(path)}, got {_mb(packed)} that unpack to "
            f"more than {_MOST_TIMES} times that; unpack it and pass the folder if it "
            "is what you want"
        )


def check_entries(number: int, path: Path) -> None:
    """Raise UserError if there are too many files and folders."""
    if number > MOST_ENTRIES:
        raise UserError(
            f"expected at most {MOST_ENTRIES:,} files and folders in "
            f"{printable(path)}, found more; check the path, or take fewer images"
        )


def check_pixels(number: int, height: int, width: int, path: Path) -> None:
    """Raise UserError if *number* RGB images of that size do not fit."""
    if (size := number * 3 * height * width) > LARGEST_PIXELS:
        raise UserError(
            f"expected at most {_mb(LARGEST_PIXELS)} of pixels in {printable(path)}, "
            f"got {_mb(size)}: {number:,} images of {width}x{height}; resize the "
            "images or take fewer"
        )


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
