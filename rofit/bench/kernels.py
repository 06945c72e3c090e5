"""What torch's profiler reports of a step: its costliest kernels, its calls of CUDA."""

import warnings
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

Row = dict[str, Any]
# What gives a GPU work; a replayed graph counts once.
LAUNCHES = (
    "cudaLaunchKernel",
    "cudaLaunchKernelExC",
    "cuLaunchKernel",
    "cuLaunchKernelEx",
    "cudaGraphLaunch",
    "cudaMemcpyAsync",
    "cudaMemsetAsync",
)
# What makes the host wait, or allocates memory, for which it may wait as well.
WAITS = (
    "cudaStreamSynchronize",
    "cudaDeviceSynchronize",
    "cudaEventSynchronize",
    "cudaMalloc",
    "cudaHostAlloc",
)
_SHOWN = 20


class Profiled:
    """Some steps under the profiler.

    Attributes:
        steps: how many.
        averages: the profiler's events, those of one name as one.
    """

    def __init__(
        self, step: Callable[[], object], steps: int, device: torch.device
    ) -> None:
        """Make the steps, to their end on a GPU."""
        self.steps, self.cuda = steps, device.type == "cuda"
        activities = [ProfilerActivity.CPU]
        if self.cuda:
            activities.append(ProfilerActivity.CUDA)
        with warnings.catch_warnings():
            # torch 2.11 says that a second cycle would begin anew; there is one.
            warnings.filterwarnings("ignore", message=".*acc_events")
            with profile(activities=activities) as profiler:
                for _ in range(steps):
                    step()
                if self.cuda:
                    torch.cuda.synchronize(device)
        self.averages: Any = profiler.key_averages()

    def calls(self, kinds: tuple[str, ...]) -> dict[str, float]:
        """Return how often a step makes each of these calls, where it does."""
        counts: dict[str, float] = {}
        for event in self.averages:
            name = event.key.split("_")[0]  # some end in a version: _v11060
            if name in kinds:
                counts[name] = counts.get(name, 0) + event.count / self.steps
        return {name: round(counts[name], 1) for name in kinds if name in counts}

    def costliest(self) -> list[Row]:
        """Return all kernels (operators on a CPU) as one row, then the costliest.

        ``ms a step`` is their own time, without what they call.
        """
        kind, on, clock = "operator", "CPU", attrgetter("self_cpu_time_total")
        if self.cuda:
            kind, on, clock = "kernel", "CUDA", attrgetter("self_device_time_total")
        rows = [
            (event.key, event.count, clock(event))
            for event in sorted(self.averages, key=clock, reverse=True)
            # Annotations span kernels that are there by themselves; torch 2.4 has none.
            if event.device_type.name == on
            and not getattr(event, "is_user_annotation", False)
        ]
        whole = ("all", sum(n for _, n, _ in rows), sum(us for *_, us in rows))
        return [
            {
                kind: name,
                "a step": round(n / self.steps, 1),
                "ms a step": round(us / 1e3 / self.steps, 3),
            }
            for name, n, us in [whole, *rows[:_SHOWN]]
        ]
