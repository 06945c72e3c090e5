"""What a number was made with: versions, device, commit. Nothing names a machine."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = (
    "rofit",
    "torch",
    "torchvision",
    "numpy",
    "scikit-learn",
    "pandas",
    "pyautoattack",
)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that numbers depend on.

    Where this process has used a GPU, CUDA's and cuDNN's as well (92400 is 9.24).
    """
    import torch  # here, so that reading saved environments needs none

    by_package = {"python": platform.python_version()}
    if torch.cuda.is_initialized():
        by_package["cuda"] = str(torch.version.cuda)
        by_package["cudnn"] = str(torch.backends.cudnn.version())
    for name in _PACKAGES:
        try:
            by_package[name] = version(name)
        except PackageNotFoundError:
            by_package[name] = "not installed"
    return by_package


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


def environment(device: str, threads: int) -> dict[str, Any]:
    """Return versions, commit, and the kind of device with its number of threads."""
    return {
        "versions": versions(),
        "commit": commit(),
        "system": f"{platform.system()} {platform.machine()}",
        "device": device,
        "threads": threads,
    }


def _git(folder: Path, *words: str) -> str:
    completed = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
    )
    return completed.stdout.strip()
