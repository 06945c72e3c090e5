"""Pictures for a report, as PNG inside of the file: maps of verdicts, worst images."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

COLUMNS = 60  # pixels a row of a map
# Right in the end, wrong when clean, fooled by the first attack, by the second ...
VERDICT_COLOURS = ("#2f9e7a", "#8a8f98", "#d9633b", "#e0a339", "#a6559d", "#4a78c8")


def data_uri(pixels: "np.ndarray[Any, np.dtype[np.uint8]]") -> str:
    """Return an image as a data URI: (H, W), (H, W, 3) or (H, W, 1), 0 to 255."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return _uri(file.getvalue())


def verdict_map(verdicts: Sequence[int]) -> str:
    """Return a picture with a pixel an image, COLUMNS a row, coloured by verdict."""
    palette = [_rgb(colour) for colour in VERDICT_COLOURS]
    last = len(palette) - 1
    rows = -(-len(verdicts) // COLUMNS)
    pixels = np.zeros((rows * COLUMNS, 4), np.uint8)
    pixels[: len(verdicts)] = [(*palette[min(v, last)], 255) for v in verdicts]
    return data_uri(pixels.reshape(rows, COLUMNS, 4))


def unit_image(values: "np.ndarray[Any, np.dtype[np.float32]]") -> str:
    """Return an image (C, H, W) in [0, 1] as a data URI."""
    pixels = np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)
    return data_uri(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def file_uri(path: Path) -> str:
    """Return a PNG file as a data URI."""
    return _uri(path.read_bytes())


def _uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()
