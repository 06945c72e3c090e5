"""A training to be timed, and a clock that can be foretold."""

import itertools
from types import SimpleNamespace

import pytest
import torch
from training_helpers import CPU

from rofit.bench import speed, timing
from rofit.bench.problem import Ours, bench_spec, digits_32


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
    """A clock of the bench that goes on by a second whenever it is read."""
    seconds = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: next(seconds))
    monkeypatch.setattr(timing, "time", clock)
    monkeypatch.setattr(speed, "matmul_rate", lambda dtype, device: 1e12)


@pytest.fixture(autouse=True)
def _seeded():
    """The baselines draw from torch's global generator, as scripts do."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
