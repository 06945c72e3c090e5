"""What a process that trains sets up once: memory, precision, determinism."""

import ctypes
import os
import sys

import torch


def prepare(precision: str, *, deterministic: bool = False) -> None:
    """Set up this process for runs of a precision (a field of RunSpec).

    Args:
        precision: a GPU may use TF32 in products and convolutions only for ``tf32``.
        deterministic: take kernels that give the same bits twice, on a GPU at some
            cost; on the CPU those in use are so anyway.
    """
    keep_memory()
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)


def keep_memory() -> None:
    """Let the C library keep freed blocks instead of faulting them in at every step.

    A fifth of the time of eager passes on the CPU. Only Linux's glibc offers it.
    """
    set_thresholds(mmap=1 << 30, trim=1 << 30)


def set_thresholds(*, mmap: int, trim: int) -> None:
    """Set glibc's sizes in bytes: blocks of their own, and free memory given back."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        trim_threshold, mmap_threshold = -1, -3
        mallopt(mmap_threshold, mmap)
        mallopt(trim_threshold, trim)


def without_bf16(device: torch.device) -> bool:
    """Return whether bf16 is slow here: a CPU without instructions for it."""
    if device.type != "cpu":
        return False
    mkldnn = torch.backends.mkldnn.is_available()
    return not (mkldnn and torch.ops.mkldnn._is_mkldnn_bf16_supported())
