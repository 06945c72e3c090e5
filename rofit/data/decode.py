"""Image files to one array of pixels."""

import io
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from rofit.data.archives import Parts
from rofit.data.images import Pixels
from rofit.data.reason import in_one_line
from rofit.data.sources import Source
from rofit.errors import UserError

Progress = Callable[[int, int], None]

_FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
_GREY = ("1", "L", "LA", "La")
_DEEP = ("I", "F")  # 16 or 32 bits a channel; PIL's names begin so, as in "I;16".
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    Image.DecompressionBombError,
)
# Images between two reports of progress.
_REPORT_EVERY = 250


def decode(
    source: Source, files: Sequence[Parts], path: Path, progress: Progress | None
) -> Pixels:
    """Return the images as uint8 (N, C, H, W), in the order of *files*.

    One channel if every image is greyscale, else three (RGB).

    Args:
        source: where the bytes are.
        files: the images, at least one.
        path: where they are, for messages.
        progress: called with the numbers of images decoded and to decode.

    Raises:
        UserError: if a file is no image, has more than 8 bits a channel, or is of
            another size than the first.
    """
    first = _pixels(source.read(files[0]), files[0], path)
    pixels = np.empty((len(files), 3, *first.shape[1:]), dtype=np.uint8)
    channels = 1
    for done, file in enumerate(files):
        image = _pixels(source.read(file), file, path)
        if image.shape[1:] != first.shape[1:]:
            raise UserError(
                f"expected every image of {path} to be {_size(first)} pixels as "
                f"{'/'.join(files[0])} is, got {_size(image)} in {'/'.join(file)}; "
                "resize them to one size"
            )
        channels = max(channels, len(image))
        pixels[done] = image
        if progress and ((done + 1) % _REPORT_EVERY == 0 or done + 1 == len(files)):
            progress(done + 1, len(files))
    return np.ascontiguousarray(pixels[:, :channels])


def _pixels(data: bytes, file: Parts, path: Path) -> Pixels:
    """Return one image as uint8 (1, H, W) if it is greyscale, else (3, H, W)."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            mode = image.mode
            array = np.asarray(image.convert("L" if mode in _GREY else "RGB"))
    except _UNREADABLE as error:
        unidentified = isinstance(error, UnidentifiedImageError)
        reason = "" if unidentified else f" ({in_one_line(error)})"
        raise UserError(
            f"expected an image in {'/'.join(file)} of {path}, got another or a "
            f"damaged file{reason}; replace or remove it"
        ) from error
    if mode.startswith(_DEEP):
        raise UserError(
            f"expected 8 bits a channel in {'/'.join(file)} of {path}, got PIL mode "
            f"{mode!r}; convert the images to 8 bits"
        )
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def _size(image: Pixels) -> str:
    """Return width x height, as image tools print it."""
    return f"{image.shape[2]}x{image.shape[1]}"
