"""`--trust`: a file that is code is run, in a process of its own; tensors come back.

That process (``python -I -m rofit.interop.checkpoints.trusted FILE OUT``) starts in an
empty folder without the environment of this one, and with limits where the system has
them. It is no sandbox: what it runs can do what the user can. But nothing of the code
comes into this process, which reads one file of it, with the loader that takes tensors.
"""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from rofit.interop.checkpoints.reading import AsksForCode, Unreadable, read_checkpoint

_SECONDS = 600
_DEEPEST = 8  # dictionaries in dictionaries
_KEPT = ("PATH", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT")  # of the environment


def read_trusted(path: Path) -> Any:
    """Return what a file holds; where that is code, run it and return its tensors.

    Raises:
        Unreadable: it is no checkpoint, its code fails, or leaves no tensors.
    """
    with suppress(AsksForCode):
        return read_checkpoint(path)
    with TemporaryDirectory() as folder:
        out = Path(folder) / "tensors.pt"
        command = [sys.executable, "-I", "-m", __name__, str(path.absolute()), str(out)]
        environment = {key: os.environ[key] for key in _KEPT if key in os.environ}
        try:
            child = subprocess.run(
                command,
                cwd=folder,
                env=environment | {"HOME": folder, "TMPDIR": folder},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise Unreadable(
                f"{path} was still being loaded after {_SECONDS} s; nothing is taken"
            ) from None
        if child.returncode or not out.is_file():
            last = (child.stderr.strip().splitlines() or ["it ended silently"])[-1]
            raise Unreadable(
                f"{path} cannot be loaded, in a process of its own: {last}"
            )
        flat = read_checkpoint(out)
    try:
        return _nested(flat)
    except (ValueError, TypeError, AttributeError):
        raise Unreadable(f"{path} leaves something else than tensors") from None


def _nested(flat: dict[str, Tensor]) -> dict[str, Any]:
    """Return dictionaries in dictionaries, of paths that `_tensors` wrote."""
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        if not isinstance(value, Tensor):
            raise TypeError
        *parents, name = json.loads(key)
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return tree


def _tensors(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors and numbers in dictionaries, modules and lists, by path."""
    if isinstance(value, nn.Module):
        value = value.state_dict() if "_parameters" in vars(value) else None
    if isinstance(value, Tensor):
        yield json.dumps(path), value.detach().cpu().clone()
    elif isinstance(value, (int, float)) or hasattr(value, "__float__"):
        yield json.dumps(path), torch.tensor(float(value), dtype=torch.float64)
    elif isinstance(value, Mapping) and len(path) < _DEEPEST:
        for key, inner in value.items():
            if isinstance(key, str):
                yield from _tensors(inner, (*path, key))


class _Unknown(nn.Module):
    """What stands for an object of a class that is not installed: its attributes."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            super().__setstate__(state)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Drop an entry: settings are often a dictionary's subclass."""

    def append(self, value: Any) -> None:
        """Drop an entry of a list's subclass."""

    def extend(self, values: Any) -> None:
        """Drop entries of a list's subclass."""


class _Unpickler(pickle.Unpickler):
    """An unpickler for which a class that is not installed is a bare module."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the class or function, or what takes its attributes."""
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError):
            return type(name, (_Unknown,), {})


def _limit(size: int) -> None:
    """Limit what this process may take, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, most in (
        (resource.RLIMIT_CPU, _SECONDS),
        (resource.RLIMIT_FSIZE, 8 * size + 2**24),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def _main(file: Path, out: Path) -> None:
    """Load a file, code and all, and write its tensors."""
    _limit(file.stat().st_size)
    module = SimpleNamespace(
        Unpickler=_Unpickler, load=pickle.load, loads=pickle.loads, __name__="pickle"
    )
    loaded = torch.load(
        file, map_location="cpu", weights_only=False, pickle_module=module
    )
    torch.save(dict(_tensors(loaded)), out)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
