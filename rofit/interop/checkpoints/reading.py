"""What lies in a checkpoint file of any program: tensors and plain values, no code.

torch's files are read by its ``weights_only`` loader alone. What that refuses, and what
is no checkpoint at all, is answered with one sentence that says what the file is.
"""

import re
import warnings
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch

from rofit.errors import UserError
from rofit.interop.checkpoints.pickles import imported_names

_HEAD = 512  # bytes that tell what a file is
# How other files begin -> what they are.
_OTHERS = {
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"BZh": "a bzip2 archive: unpack it first",
    b"\xfd7zXZ": "an xz archive: unpack it first",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"Rar!": "a rar archive: unpack it first",
    b"\x93NUMPY": "an array of NumPy",
    b"\x89HDF": "a file of HDF5",
    b"version https://git-lfs": "a pointer of Git LFS and not the file: git lfs pull",
}


class Unreadable(UserError):
    """A file that holds no network, or more than tensors."""


class AsksForCode(Unreadable):
    """A file that holds more than tensors."""


def read_checkpoint(path: Path) -> Any:
    """Return the object in a file, its tensors on the CPU; nothing in it is executed.

    Args:
        path: a file of torch.save, in its zip or its legacy format, or of safetensors.

    Raises:
        Unreadable: it is none, or it is damaged.
        AsksForCode: it asks for more than tensors and plain values; the sentence says
            which global.
    """
    head = _head(path)
    if head.startswith(b"PK"):
        _check_archive(path)
        return _load(path)
    if path.suffix == ".safetensors" or _has_safetensors_header(head, path):
        return _load_safetensors(path)
    if head.lstrip()[:1] == b"<":
        raise Unreadable(
            f"{path} is a web page and no checkpoint, as a download leaves it that was "
            "refused; fetch it again"
        )
    for beginning, kind in _OTHERS.items():
        if head.startswith(beginning):
            raise Unreadable(f"{path} is no checkpoint but {kind}")
    if head[257:262] == b"ustar":
        raise Unreadable(f"{path} is no checkpoint but a tar archive: unpack it first")
    if head[:1] != b"\x80":  # with which every pickle of torch.save begins
        raise Unreadable(
            f"{path} is no checkpoint: neither torch.save nor safetensors begins a "
            "file like this"
        )
    return _load(path)


def _head(path: Path) -> bytes:
    """Return how the file begins; raise Unreadable where there is none to read."""
    if path.is_dir():
        raise Unreadable(f"{path} is a folder, expected a checkpoint file in it")
    if not path.is_file():
        raise Unreadable(f"there is no checkpoint file {path}")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise Unreadable(f"{path} cannot be read ({error.strerror})") from None
    if not head:
        raise Unreadable(f"{path} is empty; fetch it again")
    return head


def _check_archive(path: Path) -> None:
    """Raise Unreadable unless a zip archive is whole, and of torch.save."""
    try:
        with ZipFile(path) as archive:
            names, torn = archive.namelist(), archive.testzip()
    except (
        BadZipFile,
        OSError,
        ValueError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise damaged(path, str(error)) from None
    if torn:
        raise damaged(path, f"the checksum of {torn} is another")
    inside = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inside:
        raise Unreadable(
            f"{path} is a TorchScript program and no dictionary of weights; save the "
            "state_dict() of its module"
        )
    if "data.pkl" not in inside:
        raise Unreadable(f"{path} is a zip archive, and none that torch.save wrote")


def _load(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles that are no checkpoints
            return torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise Unreadable(f"{path} asks for more memory than there is") from None
    except Exception as error:  # a damaged pickle can make the loader raise anything
        asked = re.search(r"GLOBAL ([\w.]+)", str(error))
        names = [asked[1]] if asked else imported_names(path)
        if names:
            raise AsksForCode(
                f"{path} asks for {', '.join(names)}, which is code and no weights: "
                "nothing of it was run; if you know who wrote it, --trust loads it in "
                "a process of its own"
            ) from None
        raise damaged(path, str(error)) from None


def _has_safetensors_header(head: bytes, path: Path) -> bool:
    """Return whether a length comes first that fits the file, and then JSON."""
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and 8 + length <= path.stat().st_size


def _load_safetensors(path: Path) -> dict[str, Any]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError:
        raise Unreadable(
            f"{path} is of safetensors, which is not installed: "
            "pip install 'rofit[hub]'"
        ) from None
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(path, str(error)) from None


def damaged(path: Path, reason: str) -> Unreadable:
    """Return the error for a file that is cut off or was changed."""
    first = reason.strip().partition("\n")[0] or "it ends early"
    return Unreadable(f"{path} is damaged or cut off ({first}); fetch it again")
