"""What a process that trains sets up once: memory, precision, determinism."""

import ctypes
import os
import platform
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def prepare(precision: str, *, deterministic: bool = False) -> None:
    """Set up this process for runs of a precision (a field of RunSpec).

    On a GPU convolutions are timed at every new shape, and the fastest is taken, unless
    this process has been made deterministic.

    Args:
        precision: a GPU may use TF32 in products and convolutions only for ``tf32``.
        deterministic: take kernels that give the same bits twice, on a GPU at some
            cost; on the CPU those in use are so anyway.
    """
    keep_memory()
    # Set for fp32 as well: by default torch allows TF32 in convolutions.
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    if precision != "tf32":
        warnings.filterwarnings("ignore", "TensorFloat32 tensor cores .* not enabled")
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        # Filling empty memory costs time: here it is written before it is read.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not torch.are_deterministic_algorithms_enabled()


@contextmanager
def prepared(precision: str) -> Iterator[None]:
    """Set up this process for the block, and put torch's flags back."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32, cudnn.benchmark
    with warnings.catch_warnings():
        try:
            prepare(precision)
            yield
        finally:
            cudnn.allow_tf32, matmul.allow_tf32, cudnn.benchmark = before


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


def peak_gpu_gib(device: torch.device) -> float:
    """Return the most memory that this process has had on a GPU, in GiB."""
    return round(torch.cuda.max_memory_allocated(device) / 2**30, 2)


def without_tf32(device: torch.device) -> bool:
    """Return whether the device has no TF32: a CPU, or a GPU before Ampere."""
    if device.type != "cuda":
        return True
    return torch.cuda.get_device_capability(device) < (8, 0)


def without_bf16(device: torch.device) -> bool:
    """Return whether bf16 is slow here: a CPU without instructions for it.

    oneDNN takes bf16 on any CPU with AVX-512 and emulates what is missing, three times
    slower than fp32. torch before 2.6 cannot tell, and is believed.
    """
    if device.type != "cpu":
        return False
    mkldnn = torch.backends.mkldnn.is_available()
    if not (mkldnn and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        return True
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    return platform.machine() in ("x86_64", "AMD64") and not native()
