"""Image files to one array of pixels."""

import io
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from rofit.data.archives import Parts
from rofit.data.images import Pixels
from rofit.data.limits import LARGEST_IMAGE, check_pixels
from rofit.data.reason import PARSER_ERRORS, in_one_line, printable
from rofit.data.sources import Source
from rofit.errors import UserError

Progress = Callable[[int, int], None]

_FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
_GREY = ("1", "L", "LA", "La")
_DEEP = ("I", "F")  # 16 or 32 bits a channel; PIL's names begin so, as in "I;16".
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
            another size than the first; if there are more pixels than
            `rofit.data.limits` allow.
    """
    first = _pixels(source.read(files[0]), files[0], path)
    height, width = first.shape[1:]
    check_pixels(len(files), height, width, path)
    pixels = np.empty((len(files), 3, height, width), dtype=np.uint8)
    channels = 1
    for done, file in enumerate(files):
        image = _pixels(source.read(file), file, path)
        if image.shape[1:] != first.shape[1:]:
            raise UserError(
                f"expected every image of {printable(path)} to be {_size(first)} "
                f"pixels as {_name(files[0])} is, got {_size(image)} in {_name(file)}; "
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
        with warnings.catch_warnings():
            # Of images that are refused below, of metadata, of transparent palettes.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                mode, (width, height) = image.mode, image.size
                too_large = width * height > LARGEST_IMAGE
                if not too_large:
                    array = np.asarray(image.convert("L" if mode in _GREY else "RGB"))
    except Image.DecompressionBombError:
        too_large = True
    except PARSER_ERRORS as error:
        unidentified = isinstance(error, UnidentifiedImageError)
        reason = "" if unidentified else f" ({in_one_line(error)})"
        raise UserError(
            f"expected an image in {_name(file)} of {printable(path)}, got another or "
            f"a damaged file{reason}; replace or remove it"
        ) from error
    if too_large:
        raise UserError(
            f"expected images of at most {LARGEST_IMAGE:,} pixels in {printable(path)},"
            f" got more in {_name(file)}; resize or remove it"
        )
    if mode.startswith(_DEEP):
        raise UserError(
            f"expected 8 bits a channel in {_name(file)} of {printable(path)}, got PIL "
            f"mode {mode!r}; convert the images to 8 bits"
        )
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def _size(image: Pixels) -> str:
    """Return width x height, as image tools print it."""
    return f"{image.shape[2]}x{image.shape[1]}"


def _name(file: Parts) -> str:
    return printable("/".join(file))
