"""Times: quartiles, turns, what a clock is read around."""

import numpy as np
import pytest
import torch
from ticking_clock import tick
from training_helpers import CPU

from rofit.bench import timing
from rofit.bench.timing import Times, in_a_row, interleaved, matmul_rate, timed


@pytest.fixture
def ticking(monkeypatch):
    tick(monkeypatch)


def test_median_and_spread_are_those_of_the_quartiles():
    times = Times([7.0, 1.0, 3.0, 2.0, 6.0, 4.0, 5.0])
    assert times.median == 4
    assert times.spread == (6 - 2) / 4


@pytest.mark.parametrize("n", [3, 4, 5, 10])
def test_statistics_are_numpys(n):
    seconds = np.random.default_rng(n).random(n)
    low, median, high = np.quantile(seconds, [0.25, 0.5, 0.75], method="weibull")
    times = Times(seconds.tolist())
    assert times.median == pytest.approx(median)
    assert times.spread == pytest.approx((high - low) / median)


def test_times_faster_is_the_median_of_ratios_and_no_ratio_of_medians():
    mine, theirs = Times([1.0, 4.0, 5.0]), Times([3.0, 4.0, 20.0])
    assert mine.times_faster(theirs) == 3  # of 3, 1 and 4; medians are equal
    assert theirs.times_faster(mine) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="zip"):
        mine.times_faster(Times([1.0]))


def test_ways_take_turns_and_every_one_has_its_own_times(monkeypatch):
    called = []

    def fake(call, device):
        call()
        assert device is CPU
        return float(len(called))

    monkeypatch.setattr(timing, "timed", fake)
    ways = {name: lambda name=name: called.append(name) for name in "abc"}
    times = interleaved(ways, rounds=3, device=CPU)
    assert called == list("abcabcabc")
    assert times["a"].seconds == [1, 4, 7]
    assert times["b"].seconds == [2, 5, 8]
    assert times["c"].seconds == [3, 6, 9]


def test_call_is_timed_once_from_before_to_after(ticking):
    called = []
    assert timed(lambda: called.append(timing.time.perf_counter()), CPU) == 2
    assert called == [1]


def test_matmul_rate_counts_two_flops_a_product(ticking, monkeypatch):
    monkeypatch.setattr(torch, "randn", lambda *size, device: torch.zeros(2, 2))
    assert matmul_rate(torch.bfloat16, CPU) == 2 * 2048**3


def test_matmul_rate_of_a_gpu_is_of_twenty_products_in_a_row(ticking, monkeypatch):
    products = []

    class Matrix:
        def to(self, dtype):
            return self

        def __matmul__(self, other):
            products.append(len(waits))

    waits = []
    monkeypatch.setattr(timing, "synchronise", waits.append)
    monkeypatch.setattr(torch, "randn", lambda *size, device: Matrix())
    assert matmul_rate(torch.float32, torch.device("cuda")) == 20 * 2 * 8192**3
    in_a_row = [products.count(n) for n in sorted(set(products))]
    assert in_a_row == 8 * [20], "one warm-up and seven measurements"


def test_steps_in_a_row_are_waited_for_once(ticking, monkeypatch):
    """A reading of the clock before, one when all are asked for, one at their end."""
    events = []
    monkeypatch.setattr(timing, "synchronise", lambda device: events.append("wait"))
    times = in_a_row(lambda: events.append("step"), 4, rounds=2, device=CPU)
    assert events == 2 * ["wait", "step", "step", "step", "step", "wait"]
    whole, host = times.values()
    assert list(times) == ["a step of 4 in a row", "a step of 4 in a row, host busy"]
    assert (whole.seconds, host.seconds) == ([0.5, 0.5], [0.25, 0.25])
