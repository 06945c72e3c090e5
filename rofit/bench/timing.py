"""Interleaved timing of several ways: changes of the machine's speed hit all alike."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

NOISY = 0.1  # relative spread above which a row says so


@dataclass(frozen=True)
class Times:
    """Seconds of each round."""

    seconds: list[float]

    @property
    def median(self) -> float:
        """Median, in seconds."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Range between the quartiles over the median."""
        low, _, high = statistics.quantiles(self.seconds, n=4)
        return (high - low) / self.median

    def times_faster(self, other: "Times") -> float:
        """Return the median over rounds of the other's time over this one's."""
        pairs = zip(other.seconds, self.seconds, strict=True)
        return statistics.median(slow / fast for slow, fast in pairs)


def interleaved(
    ways: dict[str, Callable[[], object]], *, rounds: int, device: torch.device
) -> dict[str, Times]:
    """Return the times of each way: *rounds* rounds, every way once a round.

    The caller warms up: what is called here is timed.
    """
    measured: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, call in ways.items():
            measured[name].append(timed(call, device))
    return {name: Times(seconds) for name, seconds in measured.items()}


def in_a_row(
    call: Callable[[], object], n: int, *, rounds: int, device: torch.device
) -> dict[str, Times]:
    """Return the times of a step of *n* in a row, and the host's alone.

    The host's is the time until the last is queued: where it is near the whole, the
    GPU waits for the host.
    """
    whole, host = [], []
    for _ in range(rounds):
        synchronise(device)
        begun = time.perf_counter()
        for _ in range(n):
            call()
        host.append((time.perf_counter() - begun) / n)
        synchronise(device)
        whole.append((time.perf_counter() - begun) / n)
    name = f"a step of {n} in a row"
    return {name: Times(whole), f"{name}, host busy": Times(host)}


def timed(call: Callable[[], object], device: torch.device) -> float:
    """Return the seconds of one call, a GPU's work included."""
    synchronise(device)
    begun = time.perf_counter()
    call()
    synchronise(device)
    return time.perf_counter() - begun


def synchronise(device: torch.device) -> None:
    """Wait for a GPU; the CPU is never behind."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def matmul_rate(dtype: torch.dtype, device: torch.device) -> float:
    """Return the rate of large square products in FLOP/s, median of 7.

    On a GPU of 20 in a row, so that neither launching nor waiting counts.
    """
    n, products = (8192, 20) if device.type == "cuda" else (2048, 1)
    a = torch.randn(n, n, device=device).to(dtype)

    def multiply() -> None:
        for _ in range(products):
            a @ a

    multiply()  # warm up
    seconds = Times([timed(multiply, device) for _ in range(7)])
    return products * 2 * n**3 / seconds.median
