"""The published data sets, read (and fetched, if allowed) through torchvision.

Whatever goes wrong there becomes one sentence that says where the files belong.
"""

import http.client
import pickle
import socket
import sys
import tarfile
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from rofit.data.images import Dataset, Images
from rofit.data.known import RegisteredDataset
from rofit.data.reason import in_one_line
from rofit.errors import UserError

# A server that does not answer must not hold a run for ever.
_TIMEOUT_S = 30.0
# What torchvision, scipy, pickle and the network are known to raise.
_FAILURES = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AssertionError,
    EOFError,
    pickle.UnpicklingError,
    tarfile.TarError,
    zlib.error,
    http.client.HTTPException,
)


def load_published(
    name: str, registered: RegisteredDataset, *, root: Path, download: bool
) -> Dataset:
    """Return a data set of torchvision.

    Args:
        name: its name here.
        registered: its entry in DATASETS.
        root: the data folder.
        download: fetch it if it is not there, or a checksum is wrong.

    Raises:
        UserError: if it is not there, damaged or cannot be fetched, or a package that
            reads it is not installed.
    """
    remedy = (
        f"run `rofit data {name} --fetch` with a network, put {registered.manual_files}"
        f" into {root}, or pass --data with an archive of class folders"
    )
    present = registered.is_present(root)
    if not present and not download:
        raise UserError(f"expected {name} under {root}, found none; {remedy}")
    try:
        with _quiet():
            train, test = _splits(registered, root, download)
            classes = getattr(train, "classes", range(10))
            return Dataset(
                name=name,
                shown_as=name,
                classes=tuple(str(label) for label in classes),
                train=_images(train),
                test=_images(test),
            )
    except ImportError as error:
        package = error.name or "torchvision"
        raise UserError(
            f"expected the package {package} to read {name}, got "
            f"{in_one_line(error)!r}; run pip install {package}"
        ) from error
    except _FAILURES as error:
        reason = "a web page came instead"
        if not any(_is_web_page(root / file) for file in registered.archives):
            reason = in_one_line(error)
        state = "none, and could not fetch it"
        if present:
            state, remedy = "files that cannot be used", f"delete them and {remedy}"
        raise UserError(
            f"expected {name} under {root}, found {state} ({reason}); {remedy}"
        ) from error


def _splits(
    registered: RegisteredDataset, root: Path, download: bool
) -> tuple[Any, Any]:
    """Return torchvision's training and test split."""
    from torchvision import datasets

    build = getattr(datasets, str(registered.loader))
    if registered.loader == "SVHN":
        names = ("train", "test")
        train, test = (build(root, split=name, download=download) for name in names)
    else:
        train, test = (
            build(root, train=is_train, download=download) for is_train in (True, False)
        )
    return train, test


def _images(split: Any) -> Images:
    """Return (N, H, W), (N, H, W, 3) or (N, 3, H, W) and their labels as Images."""
    pixels = np.asarray(split.data)
    labels = np.asarray(split.labels if hasattr(split, "labels") else split.targets)
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    elif pixels.shape[1] != 3:
        pixels = pixels.transpose(0, 3, 1, 2)
    return Images(np.ascontiguousarray(pixels), labels.astype(np.int64))


def _is_web_page(path: Path) -> bool:
    """Return whether a file begins as HTML does, which none of the data sets do."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(16).lstrip().startswith(b"<")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torchvision's chatter off stdout, its warnings quiet, its waiting finite."""
    previous_timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT_S)
    try:
        with redirect_stdout(sys.stderr), warnings.catch_warnings():
            # NumPy 2.4.0 to 2.4.4 warns of the dtype in every CIFAR pickle (#31177).
            warnings.simplefilter("ignore")
            yield
    finally:
        socket.setdefaulttimeout(previous_timeout)
