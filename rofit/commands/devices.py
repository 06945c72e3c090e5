"""Whether there is a CUDA device, with torch imported only where there may be one."""

import os
import sys

# What drivers make in /dev on Linux: NVIDIA's, Tegra's, that of Windows' Linux, ROCm's.
_DRIVERS = ("nvidia", "nvhost", "nvmap", "nvgpu", "dxg", "kfd")


def has_cuda() -> bool:
    """Return whether torch has a CUDA device.

    On Linux there is none without a driver's file, which spares an import of torch.
    """
    if "torch" not in sys.modules and sys.platform == "linux":
        if not any(name.startswith(_DRIVERS) for name in os.listdir("/dev")):
            return False
    import torch

    return torch.cuda.is_available()
