"""Attack passes and whole steps: the baselines against rofit, ratios per round."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from rofit.bench.kernels import LAUNCHES, Profiled
from rofit.bench.phases import phases
from rofit.bench.problem import Ours, bench_spec, digits_32, theirs
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
        "plain": theirs(eager, data, eval_mode=False),
        "plain-eval": theirs(eager, data, eval_mode=True),
        eager.name: eager,
        fast.name: fast,
    }
    first = timed(fast.step, device)
    attacks = _calls({n: partial(w.passes, _PASSES) for n, w in ways.items()}, device)
    whole = _calls({n: w.step for n, w in ways.items()}, device)
    for call in (*attacks.values(), *whole.values()):
        call()  # warm up
    passes_seen = interleaved(attacks, rounds=rounds, device=device)
    steps_seen = interleaved(whole, rounds=rounds, device=device)
    about = {"model": model, "batch": batch_size}
    step = steps_seen[fast.name].median
    goes = {"first step s": round(first - step, 1), "step ms": round(1e3 * step, 1)}
    if fast.run.graphs is None:  # a replayed graph has no phases: bench profile
        goes |= phases(fast, rounds, device)
    goes |= _work(fast, step, device)
    return {
        "attack passes": _rows(about, passes_seen, batch_size * _PASSES, "passes/s"),
        "whole step, PGD-10": _rows(about, steps_seen, batch_size, "images/s"),
        f"where the step of {fast.name} goes": [about | goes],
    }


def _calls(ways: dict[str, Call], device: torch.device) -> dict[str, Call]:
    """Give the baselines what their users have: memory, and on a GPU TF32.

    On a CPU they are timed with memory as ours has it as well.
    """
    as_users = _with_tf32 if device.type == "cuda" else _with_usual_memory
    users = {b: partial(as_users, ways[b]) for b in ("plain", "plain-eval")}
    kept = {f"{b}, memory kept": ways[b] for b in users if device.type == "cpu"}
    return users | kept | {n: w for n, w in ways.items() if n not in users}


def _with_usual_memory(call: Call) -> None:
    """Call with the thresholds that glibc moves to by itself for large tensors."""
    set_thresholds(mmap=32 << 20, trim=64 << 20)
    call()
    keep_memory()


def _with_tf32(call: Call) -> None:
    """Call with TF32 in convolutions, which torch allows unless told otherwise."""
    torch.backends.cudnn.allow_tf32 = True
    call()
    torch.backends.cudnn.allow_tf32 = False


def _rows(about: Row, times: dict[str, Times], work: int, unit: str) -> list[Row]:
    rows = []
    for name, each in times.items():
        row = about | {"way": name, unit: round(work / each.median, 1)}
        for base in ("plain", "plain-eval"):
            row[f"x {base}"] = round(each.times_faster(times[base]), 2)
        row["spread %"] = round(100 * each.spread, 1)
        row["noisy"] = each.spread > NOISY
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
    found: Row = {
        "GFLOP an image": round(flops / 1e9, 2),
        "GFLOP/s": round(rate / 1e9),
        "% of matmul": round(100 * rate / matmul_rate(torch.bfloat16, device)),
        "s for 50,000 images": round(50_000 / len(batch.y) * step, 1),
    }
    if device.type == "cuda":
        found["peak GiB"] = peak_gpu_gib(device)
        calls = Profiled(ours.step, 1, device).calls(LAUNCHES)
        found["launches"] = round(sum(calls.values()))
    return found
