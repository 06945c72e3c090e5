"""Named random streams: every draw of a run is a function of (seed, name, counters).

Nothing in rofit draws from the global generators, so a diagnostic that does can change
no training, and any faster path that asks for the same stream gets the same numbers.
"""

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def stream_seed(seed: int, *names: str | int) -> int:
    """Return the 63-bit seed of the stream called *names* under *seed*.

    Args:
        seed: the run's seed (or its data seed).
        *names: what the stream is for, then counters: ``("attack", epoch, step)``.
    """
    text = "|".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: str | int) -> "torch.Generator":
    """Return a CPU generator at the start of the named stream.

    On the CPU for every device: a run has the same draws on a GPU as on the CPU.
    """
    import torch  # here, so that data are split and noised without it

    return torch.Generator().manual_seed(stream_seed(seed, *names))


def numpy_rng(seed: int, *names: str | int) -> np.random.Generator:
    """Return a NumPy generator at the start of the named stream."""
    return np.random.default_rng(stream_seed(seed, *names))
