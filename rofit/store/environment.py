"""What a number was made with: versions, device, commit. Nothing names a machine."""

import ast
import hashlib
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rofit.settings.method_files import method_files
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunFolder, read_events

_PACKAGES = (
    "rofit",
    "torch",
    "torchvision",
    "numpy",
    "scikit-learn",
    "pandas",
    "pyautoattack",
)
# Of a method's file, what says which runs there may be and changes none.
_OF_SETTINGS = ("AS_RELEASED", "MIXES")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that numbers depend on.

    Where this process has used a GPU, CUDA's and cuDNN's as well (92400 is 9.24).
    """
    import torch  # here, so that reading saved environments needs none

    by_package = {"python": platform.python_version()}
    if torch.cuda.is_initialized():
        by_package["cuda"] = str(torch.version.cuda)
        by_package["cudnn"] = str(torch.backends.cudnn.version())
    return by_package | {name: _version(name) for name in _PACKAGES}


def commit() -> str:
    """Return the commit of the checkout that rofit runs from, ``+`` if it was changed.

    Empty where rofit was installed from a wheel or git is not installed.
    """
    folder = Path(__file__).parent
    try:
        revision = _git(folder, "rev-parse", "--short=12", "HEAD")
        tracked = _git(folder, "ls-files", "--error-unmatch", "environment.py")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return (revision + ("+" if changed else "")) if tracked else ""


def method_code(spec: RunSpec) -> dict[str, str]:
    """Return method -> digest of its code, of all methods that a run takes parts of.

    Of the code alone: not of docstrings, comments and layout, nor of what decides only
    which runs there may be (_OF_SETTINGS).
    """
    files = _method_files(spec).items()
    return {name: _code_digest(file.read_text()) for name, file in files}


def _method_files(spec: RunSpec) -> dict[str, Path]:
    methods = Path(__file__).parent.parent / "methods"
    names = (spec.method, spec.labels_from, *spec.weights_from)
    own = method_files()
    files = {name: own.get(name, methods / f"{name}.py") for name in names if name}
    return {name: file for name, file in files.items() if file.exists()}


@cache
def _code_digest(text: str) -> str:
    """Return the digest of a module's code; kept, since many runs share a method."""
    return _digest(_code(text).encode())


def _code(text: str) -> str:
    """Return a module's code, as Python would write it: what its runs depend on."""
    tree = ast.parse(text)
    tree.body = [node for node in tree.body if not _is_of_settings(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                del node.body[0]
    return ast.unparse(tree)


def _is_of_settings(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(t, ast.Name) and t.id in _OF_SETTINGS for t in targets)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def changes_since(run: RunFolder, spec: RunSpec) -> list[str]:
    """Return what of the code has changed since the run was last gone on with.

    The files of its methods and rofit's version, as far as the run has recorded them.
    """
    recorded: dict[str, Any] = {}
    for event in read_events(run.path):
        recorded = event.get("environment") or recorded
    before, now = recorded.get("method_code", {}), method_code(spec)
    if "method_sources" in recorded:  # of older versions: of the whole file
        before, files = recorded["method_sources"], _method_files(spec)
        now = {name: _digest(file.read_bytes()) for name, file in files.items()}
    changes = [
        f"method {name}" for name in now if before.get(name, now[name]) != now[name]
    ]
    old = recorded.get("versions", {}).get("rofit")
    new = _version("rofit")
    return changes + ([f"rofit {old} -> {new}"] if old and old != new else [])


def environment(device: str, threads: int) -> dict[str, Any]:
    """Return versions, commit, and the kind of device with its number of threads."""
    return {
        "versions": versions(),
        "commit": commit(),
        "system": f"{platform.system()} {platform.machine()}",
        "device": device,
        "threads": threads,
    }


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _git(folder: Path, *words: str) -> str:
    completed = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
    )
    return completed.stdout.strip()
