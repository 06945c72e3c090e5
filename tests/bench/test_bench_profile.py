"""rofit bench profile: parts of a step, its operators or kernels, its calls of CUDA."""

import json
import math
from functools import partial
from types import SimpleNamespace

import pytest
from command_line import rofit
from training_helpers import CPU

from rofit.bench import profile, tables
from rofit.bench.kernels import LAUNCHES, WAITS, Profiled
from rofit.bench.problem import bench_spec

PARTS = [
    "the first step",
    "a step of 2 in a row",
    "a step of 2 in a row, host busy",
    "a step alone",
    "attack",
    "forward in train mode",
    "forward and backward",
    "optimizer step",
    "precision copy refresh",
    "load and augment a batch",
    "draw a start on the CPU",
    "checkpoint into memory",
]
SMALL = ("--model", "preact_tiny", "--batch-size", "4", "--rounds", "2")


@pytest.fixture(scope="module")
def sections(tmp_path_factory):
    """What the command answers for a tiny net and two steps of attack."""
    small = partial(bench_spec, attack_steps=2)
    home = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profile, "bench_spec", small)
        patch.setattr(tables, "matmul_rate", lambda dtype, device: 2e11)
        words = ("profile", *SMALL, "--engine", "eager", "--json")
        answer = rofit(home, "bench", *words)
    assert (answer.code, answer.err) == (0, "")
    return json.loads(answer.out)


def test_profile_has_every_part_of_a_step_with_its_time(sections):
    assert list(sections) == ["machine", "profile", "operators"]
    rows = sections["profile"]
    assert [row["part"] for row in rows] == PARTS
    for row in rows:
        assert list(row) == ["model", "batch", "part", "ms", "spread %"]
        assert (row["model"], row["batch"]) == ("preact_tiny", 4)
        assert row["ms"] > 0 and math.isfinite(row["ms"])
    assert [row["part"] for row in rows if row["spread %"] is None] == PARTS[:1]


def test_operators_are_those_of_one_step(sections):
    """Nine convolutions, forward and backward in two attack passes and the training."""
    rows = sections["operators"]
    whole, *shown = rows
    counts = {row["operator"]: row["a step"] for row in rows}
    assert counts["aten::convolution_backward"] == 9 * (2 + 1)
    assert whole["operator"] == "all"
    assert whole["a step"] > sum(row["a step"] for row in shown) > 0
    times = [row["ms a step"] for row in shown]
    assert times == sorted(times, reverse=True)
    assert whole["ms a step"] >= sum(times) > 0


def event(key, count, *, on="CUDA", us=0.0, **more):
    kind = SimpleNamespace(name=on)
    about = {"self_device_time_total": us, "self_cpu_time_total": 7.0} | more
    return SimpleNamespace(key=key, count=count, device_type=kind, **about)


@pytest.fixture
def on_a_gpu():
    """A function from the profiler's events to two profiled steps of a GPU."""

    def build(*averages):
        profiled = Profiled(lambda: None, 2, CPU)
        profiled.cuda, profiled.averages = True, averages
        return profiled

    return build


def test_kernels_are_what_the_device_has_done_and_no_annotation(on_a_gpu):
    profiled = on_a_gpu(
        event("triton_fused", 6, us=1000.0, is_user_annotation=False),
        event("Optimizer.step", 2, us=9000.0, is_user_annotation=True),
        event("aten::mm", 4, us=3000.0, on="CPU"),
        event("sm90_gemm", 4, us=3000.0),
    )
    rows = [tuple(row.values()) for row in profiled.costliest()]
    assert rows == [("all", 5, 2), ("sm90_gemm", 2, 1.5), ("triton_fused", 3, 0.5)]
    assert list(profiled.costliest()[0]) == ["kernel", "a step", "ms a step"]


def test_calls_are_counted_by_kind_whatever_version_they_name(on_a_gpu):
    profiled = on_a_gpu(
        event("cudaLaunchKernel", 10, on="CPU"),
        event("cudaLaunchKernelExC_v11060", 3, on="CPU"),
        event("cuLaunchKernelEx", 4, on="CPU"),
        event("cudaGraphLaunch_v10000", 2, on="CPU"),
        event("cudaLaunchHostFunc", 9, on="CPU"),
        event("cudaStreamSynchronize", 1, on="CPU"),
    )
    launches = {"cudaLaunchKernel": 5, "cudaLaunchKernelExC": 1.5}
    launches |= {"cuLaunchKernelEx": 2, "cudaGraphLaunch": 1}
    assert profiled.calls(LAUNCHES) == launches
    waits = {"cudaStreamSynchronize": 0.5}
    assert profiled.calls(LAUNCHES + WAITS) == launches | waits


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["profil"], "unknown table 'profil'; did you mean profile"),
        (["profile", "--model", "nonsense"], "unknown model 'nonsense'"),
        (["profile", "--engine", "nonsense"], "unknown engine 'nonsense'"),
    ],
)
def test_unknown_names_are_answered_in_one_sentence(tmp_path, words, sentence):
    answer = rofit(tmp_path, "bench", *words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert sentence in answer.err
