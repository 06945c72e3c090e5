"""The bench's arithmetic: shares, FLOPs, and figures that a fault changes."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from ticking_clock import tick
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from training_helpers import CPU

from rofit.bench import layers, parity, speed
from rofit.bench.layers import layer_rows
from rofit.bench.parity import parity_rows
from rofit.bench.phases import phases
from rofit.bench.problem import Ours, bench_spec, digits_32
from rofit.bench.speed import speed_rows
from rofit.training.engine import make_attack


@pytest.fixture(scope="module")
def data():
    return digits_32()


@pytest.fixture
def ours(data):
    """A function from changes of the spec to a training of a tiny net."""

    def build(batch_size=4, **changes):
        spec = bench_spec("preact_tiny", batch_size, **changes)
        return Ours(spec, data, CPU, "eager")

    return build


@pytest.fixture
def ticking(monkeypatch):
    tick(monkeypatch)


def test_phases_add_up_to_the_whole_step(ours, ticking):
    """Seven readings of the clock a step: one in the attack, two in the passes."""
    training = ours(attack_steps=1)
    expected = {"attack %": 14.3, "training passes %": 28.6, "rest %": 57.1}
    for steps in (1, 3):
        assert phases(training, steps, CPU) == expected


@pytest.mark.parametrize("fails", [False, True])
def test_phases_leave_nothing_patched(ours, monkeypatch, fails):
    backward = torch.Tensor.backward
    training = ours(attack_steps=1)
    if fails:
        monkeypatch.setattr(training, "step", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            phases(training, 1, CPU)
    else:
        phases(training, 1, CPU)
    assert torch.Tensor.backward is backward
    assert "maximise" not in vars(training.run.method)
    assert "predict" not in vars(training.run.engine)


def test_work_is_the_hand_count(ours, monkeypatch):
    """Stem 3 > 128 to 16x16 pixels, two convolutions 128 > 128, a linear layer."""
    rates = {torch.bfloat16: 1e12}
    monkeypatch.setattr(speed, "matmul_rate", lambda dtype, device: rates[dtype])
    pixels = 16 * 16
    forward = 2 * (27 + 2 * 9 * 128) * 128 * pixels + 2 * 128 * 10
    for steps in (2, 10):
        training = ours(8, width=128, blocks=(1,), attack_steps=steps)
        flops = (2 * steps + 3) * forward
        row = speed._work(training, 0.5, CPU)
        assert row["GFLOP an image"] == round(flops / 1e9, 2) > 1
        assert row["GFLOP/s"] == round(flops * 8 / 0.5 / 1e9)
        assert row["% of matmul"] == round(100 * flops * 8 / 0.5 / 1e12)


@pytest.mark.parametrize(("emulated", "precision"), [(False, "bf16"), (True, "fp32")])
def test_speed_is_work_over_time_for_every_way(
    ticking, monkeypatch, emulated, precision
):
    """Each call takes a second of the clock: rates are images, or images x passes.

    Where bf16 would be emulated the fast way is in fp32, here the eager one itself.
    """
    monkeypatch.setattr(speed, "without_bf16", lambda device: emulated)
    monkeypatch.setattr(speed, "bench_spec", partial(bench_spec, attack_steps=1))
    tables = speed_rows("preact_tiny", 4, engine="eager", rounds=2, device=CPU)
    passes, steps, (goes,) = tables.values()
    ways = ["plain", "plain-eval", "plain, memory kept", "plain-eval, memory kept"]
    ways += dict.fromkeys(["rofit fp32 eager", f"rofit {precision} eager"])
    about = {"model": "preact_tiny", "batch": 4}
    rest = {"x plain": 1, "x plain-eval": 1, "spread %": 0, "noisy": False}
    assert passes == [about | {"way": w, "passes/s": 12.0} | rest for w in ways]
    assert steps == [about | {"way": w, "images/s": 4.0} | rest for w in ways]
    assert goes.items() >= {"first step s": 0.0, "step ms": 1000.0}.items()
    assert goes["rest %"] == 57.1


def test_baselines_have_the_memory_of_their_users_and_give_it_back(monkeypatch):
    events = []
    monkeypatch.setattr(speed, "set_thresholds", lambda **sizes: events.append(sizes))
    monkeypatch.setattr(speed, "keep_memory", lambda: events.append("kept"))
    ways = {"plain": lambda: events.append("plain"), "plain-eval": lambda: None}
    calls = speed._calls(ways | {"ours": lambda: events.append("ours")}, CPU)
    for name in ("plain", "plain, memory kept", "ours"):
        calls[name]()
    users = {"mmap": 32 << 20, "trim": 64 << 20}
    assert events == [users, "plain", "kept", "plain", "ours"]


def test_baselines_on_a_gpu_have_tf32_convolutions_and_ours_have_not(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    allowed = []
    names = ("plain", "plain-eval", "ours")
    cudnn = torch.backends.cudnn
    ways = dict.fromkeys(names, lambda: allowed.append(cudnn.allow_tf32))
    calls = speed._calls(ways, torch.device("cuda"))
    assert list(calls) == list(names)
    for call in calls.values():
        call()
    assert allowed == [True, True, False]


def test_layer_rows_count_every_convolution_once(ours, ticking):
    network = ours().run.model
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    rows = layer_rows("preact_tiny", 4, rounds=2, device=CPU)
    assert sum(row["count"] for row in rows) == len(convolutions) == 9
    names = [row["layer"] for row in rows]
    assert len(set(names)) == len(names) == 8
    assert rows[0]["layer"] == "3 > 32, 32 px, 3x3 / 2"
    assert rows[1]["layer"] == "32 > 32, 16 px, 3x3 / 1" and rows[1]["count"] == 2
    gflops = round(2 * 4 * 32 * 16 * 16 * 9 * 32 / 1e9)  # in a second
    for way in ("forward", "input gradient", "weight gradient"):
        assert rows[1][f"{way} ms"] == 1000
        assert rows[1][f"{way} GFLOP/s"] == gflops


def test_flops_of_a_layer_are_torchs_count_for_each_of_the_three_passes(ours):
    training = ours(precision="bf16")
    layer_inputs = layers._inputs(training)
    total = 0.0
    for layer, x in layer_inputs:
        assert x.dtype == layer.weight.dtype == torch.bfloat16
        ways, flops = layers._ways(layer, x)
        total += flops
        for name, call in ways.items():
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                call()
            assert counter.get_total_flops() == flops, name
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        training.run.engine.frozen(training.held[0].x)
    linear = 2 * 4 * 128 * 10
    assert counter.get_total_flops() == total + linear
    assert not any(layer._forward_pre_hooks for layer, _ in layer_inputs)


def test_eager_attack_is_at_parity_with_itself():
    rows = parity_rows("preact_tiny", 16, engine="eager", device=CPU)
    assert len(rows) == 6
    assert all(row["holds"] for row in rows), rows
    (pixels,) = (r["seen"] for r in rows if "% of pixels equal" in r["figure"])
    assert pixels == 100


def test_attack_with_half_the_step_is_not_at_parity(monkeypatch):
    made = []

    def planted(spec, steps, engine):
        made.append(make_attack(spec, steps, engine))
        weak = replace(made[-1], step_size=made[-1].step_size / 2)
        return made[-1] if len(made) == 1 else weak

    monkeypatch.setattr(parity, "make_attack", planted)
    rows = parity_rows("preact_tiny", 16, engine="eager", device=CPU)
    holds = {row["figure"]: row["holds"] for row in rows}
    assert not holds["fp32 PGD-10, eager against eager: % of pixels equal"]
    assert holds["fp32 gradient against fp64: median error"]


@pytest.mark.parametrize(
    ("kind", "measured", "holds"),
    [("most", 0.9, True), ("most", 1.1, False), ("least", 1.1, True)]
    + [("least", 0.9, False), ("least", float("nan"), False)]
    + [("most", float("nan"), False), ("most", 1.0, True), ("least", 1.0, True)],
)
def test_figure_holds_on_its_side_of_the_bound(kind, measured, holds):
    row = parity._row("a", "b", torch.tensor(measured), 1.0, kind)
    assert row["holds"] is holds
    assert row["wanted"] == f"at {kind} 1"
