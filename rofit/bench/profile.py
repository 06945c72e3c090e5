"""Where one training step's time goes: its parts, its kernels, its CUDA calls.

Parts are called one at a time, the device being waited for after each, so that they do
not add up to a step: in a row, a GPU works on one while the host prepares the next.
"""

import io
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import torch

from rofit.bench.kernels import LAUNCHES, WAITS, Profiled
from rofit.bench.problem import Ours, bench_spec, digits_32
from rofit.bench.timing import in_a_row, interleaved, timed
from rofit.losses import cross_entropy
from rofit.training.batches import Batch

Row = dict[str, Any]
_STEPS = 3  # under the profiler


def profile_rows(
    model: str, batch_size: int, *, engine: str, rounds: int, device: torch.device
) -> dict[str, list[Row]]:
    """Return the parts of a bf16 step in milliseconds, and what they consist of.

    Returns:
        ``profile``: a row a part, median and spread over *rounds*. ``kernels``, on a
        CPU ``operators``: the costliest by their own time. ``calls of CUDA``, on a GPU
        only: how often a step launches, copies, waits.
    """
    cuda = device.type == "cuda"
    spec = bench_spec(model, batch_size, precision="bf16")
    ours = Ours(spec, digits_32(), device, engine)
    first = timed(ours.step, device)
    times = in_a_row(ours.step, 10 if cuda else 2, rounds=rounds, device=device)
    profiled = Profiled(ours.step, _STEPS, device)
    parts = _parts(ours)
    for call in parts.values():
        call()  # warm up
    times |= interleaved(parts, rounds=rounds, device=device)
    tables: dict[str, list[Row]] = {
        "profile": [_row("the first step", first, None)]
        + [_row(name, part.median, part.spread) for name, part in times.items()],
        "kernels" if cuda else "operators": profiled.costliest(),
    }
    if cuda:
        calls = profiled.calls(LAUNCHES + WAITS)
        tables["calls of CUDA"] = [{"call": c, "a step": n} for c, n in calls.items()]
    common = {"model": model, "batch": batch_size}
    return {name: [common | row for row in rows] for name, rows in tables.items()}


def _row(part: str, seconds: float, spread: float | None) -> Row:
    percent = None if spread is None else round(100 * spread, 1)
    return {"part": part, "ms": round(1e3 * seconds, 3), "spread %": percent}


def _parts(ours: Ours) -> dict[str, Callable[[], object]]:
    """Return the parts of a step, and the step, as calls."""
    run, (batch, _) = ours.run, ours.held
    plan, batches = run.plan(), _endless(ours)
    memory = io.BytesIO()

    def backward() -> None:
        run.optimizer.zero_grad()
        cross_entropy(run.engine.predict(batch.x), batch.y).mean().backward()

    def draw() -> object:
        draw = run.method.inner.start
        return plan.start(0, run.spec.threat, batch.x.shape, draw)

    def save() -> None:
        memory.seek(0)
        torch.save(run.state_dict(), memory)

    return {
        "a step alone": ours.step,
        "attack": lambda: ours.passes(run.spec.attack_steps),
        "forward in train mode": lambda: run.engine.predict(batch.x),
        "forward and backward": backward,
        "optimizer step": run.optimizer.step,
        "precision copy refresh": run.engine.follow,
        "load and augment a batch": lambda: next(batches),
        "draw a start on the CPU": draw,
        "checkpoint into memory": save,
    }


def _endless(ours: Ours) -> Iterator[Batch]:
    """Yield batches as `Ours` loads them, without a start."""
    run = ours.run
    for _ in count():
        yield from run.train.batches(run.spec, run.plan(), begin=0)
