"""Checkpoints that a kill cannot tear, and that hold tensors and plain values only.

Schedule and random streams are functions of seed, epoch and step, so those counters are
all there is to keep of them.
"""

import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import torch

# What torch raises where a file is torn, or another program's.
_TORN = (RuntimeError, EOFError, ValueError, LookupError, OSError, TypeError)
LAST, PREVIOUS, BEST = "last.pt", "last-previous.pt", "best.pt"


def save(state: dict[str, Any], path: Path) -> None:
    """Write *state* so that *path* holds the old file or the new one, whole.

    A temporary file in the same folder is flushed to the disk and then renamed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with open(temporary, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    _sync_folder(path.parent)


def save_last(state: dict[str, Any], folder: Path) -> None:
    """Write ``last.pt``, keeping the one before as ``last-previous.pt``."""
    last = folder / LAST
    if last.exists():
        os.replace(last, folder / PREVIOUS)
    save(state, last)


def load_last(folder: Path, device: torch.device) -> tuple[dict[str, Any], str] | None:
    """Return the newest readable state and its file name; None if there is none."""
    for name in (LAST, PREVIOUS):
        state = load(folder / name, device)
        if state is not None:
            return state, name
    return None


def load(path: Path, device: torch.device) -> dict[str, Any] | None:
    """Return the state in *path*, or None where it is missing or torn."""
    if not path.exists():
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles that are no checkpoints
            return torch.load(path, map_location=device, weights_only=True)
    except (*_TORN, pickle.UnpicklingError):
        return None


def _sync_folder(folder: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
