"""Attack passes and whole steps: the baselines against rofit, ratios per round."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from rofit.bench.kernels import LAUNCHES, Profiled
from rofit.bench.phases import phases
from rofit.bench.problem import Ours, baseline, bench_spec, digits_32
from rofit.bench.timing import NOISY, Times, interleaved, matmul_rate, timed
from rofit.training.process import (
    keep_memory,
    peak_gpu_gib,
    set_thresholds,
    without_bf16,
)

Row = dict[str, Any]
Call = Callable[[], object]
_PASSES = 3  # of the attack in one timed call


def speed_rows(
    model: str, batch_size: int, *, engine: str, rounds: int, device: torch.device
) -> dict[str, list[Row]]:
    """Return attack passes, whole PGD-10 steps, and where rofit's step goes."""
    data = digits_32()
    # What is fast here: a CPU without instructions for bf16 emulates it slowly.
    precision = "fp32" if without_bf16(device) else "bf16"
    spec = bench_spec(model, batch_size, precision="fp32")
    eager = Ours(spec, data, device, "eager")
    fast = Ours(spec.replace(precision=precision), data, device, engine)
    ways: dict[str, Any] = {
        "plain": baseline(eager, data, eval_mode=False),
        "plain-eval": baseline(eager, data, eval_mode=True),
        eager.name: eager,
        fast.name: fast,
    }
    first = timed(fast.step, device)
    attacks = _calls({n: partial(w.passes, _PASSES) for n, w in ways.items()}, device)
    whole = _calls({n: w.step for n, w in ways.items()}, device)
    for call in (*attacks.values(), *whole.values()):
        call()  # warm up
    pass_times = interleaved(attacks, rounds=rounds, device=device)
    step_times = interleaved(whole, rounds=rounds, device=device)
    common = {"model": model, "batch": batch_size}
    step = step_times[fast.name].median
    breakdown = {
        "first step s": round(first - step, 1),
        "step ms": round(1e3 * step, 1),
    }
    if fast.run.graphs is None:  # a replayed graph has no phases: bench profile
        breakdown |= phases(fast, rounds, device)
    breakdown |= _work(fast, step, device)
    return {
        "attack passes": _rows(common, pass_times, batch_size * _PASSES, "passes/s"),
        "whole step, PGD-10": _rows(common, step_times, batch_size, "images/s"),
        f"where the step of {fast.name} goes": [common | breakdown],
    }


def _calls(ways: dict[str, Call], device: torch.device) -> dict[str, Call]:
    """Give the baselines what their users have: memory, and on a GPU TF32.

    On a CPU they are timed with memory as ours has it as well.
    """
    as_users = _with_tf32 if device.type == "cuda" else _with_usual_memory
    users = {b: partial(as_users, ways[b]) for b in ("plain", "plain-eval")}
    memory_kept = {f"{b}, memory kept": ways[b] for b in users if device.type == "cpu"}
    return users | memory_kept | {n: w for n, w in ways.items() if n not in users}


def _with_usual_memory(call: Call) -> None:
    """Call with the thresholds that glibc moves to by itself for large tensors."""
    set_thresholds(mmap=32 << 20, trim=64 << 20)
    call()
    keep_memory()


def _with_tf32(call: Call) -> None:
    """Call with TF32 in convolutions, which torch does by default."""
    torch.backends.cudnn.allow_tf32 = True
    call()
    torch.backends.cudnn.allow_tf32 = False


def _rows(common: Row, times: dict[str, Times], work: int, unit: str) -> list[Row]:
    rows = []
    for name, timing in times.items():
        row = common | {"way": name, unit: round(work / timing.median, 1)}
        for base in ("plain", "plain-eval"):
            row[f"x {base}"] = round(timing.times_faster(times[base]), 2)
        row["spread %"] = round(100 * timing.spread, 1)
        row["noisy"] = timing.spread > NOISY
        rows.append(row)
    return rows


def _work(ours: Ours, step: float, device: torch.device) -> Row:
    """Return GFLOP an image and step, and its share of the rate of large products."""
    batch, _ = ours.held
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        ours.run.engine.frozen(batch.x[:1])
    forward = counter.get_total_flops()
    # An attack pass is two forward passes' work, the training pass three.
    flops = forward * (2 * ours.run.spec.attack_steps + 3)
    rate = flops * len(batch.y) / step
    row: Row = {
        "GFLOP an image": round(flops / 1e9, 2),
        "GFLOP/s": round(rate / 1e9),
        "% of matmul": round(100 * rate / matmul_rate(torch.bfloat16, device)),
        "s for 50,000 images": round(50_000 / len(batch.y) * step, 1),
    }
    if device.type == "cuda":
        row["peak GiB"] = peak_gpu_gib(device)
        calls = Profiled(ours.step, 1, device).calls(LAUNCHES)
        row["launches"] = round(sum(calls.values()))
    return row
