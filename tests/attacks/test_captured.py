"""A captured attack is the attack: the same bits, weights read anew, memory of its own.

In a process without a GPU nothing of this can be seen, so all of it is skipped there.
"""

from dataclasses import replace

import pytest
import torch
from toy_problems import random_dataset
from training_helpers import digits, digits_net, same

from rofit.attacks.captured import Captured
from rofit.attacks.compiled import CompiledPGD
from rofit.losses import cross_entropy
from rofit.methods import METHODS
from rofit.precision import PrecisionCopy
from rofit.progress import Report
from rofit.running import runner
from rofit.settings.threat import ThreatModel
from rofit.training.graphs import StepGraphs
from rofit.training.loop import train_epoch
from rofit.training.stop import Stop

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]
CUDA = torch.device("cuda")
BATCH = 64
DATA = random_dataset(n_train=192, n_test=64)
SIZES = {"train_size": 176, "val_size": 16, "batch_size": 32}


@pytest.fixture(autouse=True)
def _same_kernels(cuda_compiler):
    with torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    ):
        yield


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def twin(request):
    net = digits_net(width=8, steps=5).to(CUDA)
    net.to(memory_format=torch.channels_last)
    return PrecisionCopy(net, request.param)


@pytest.fixture
def attack():
    return CompiledPGD(ThreatModel(), 5, 2 / 255, batch=BATCH, captured=True)


def _given(begin):
    """Return images, loss, classes and starts: one batch, in the attack's layout."""
    x, y = (tensor[begin : begin + BATCH].to(CUDA) for tensor in digits("test"))
    x = x.contiguous(memory_format=torch.channels_last)
    stream = torch.Generator().manual_seed(begin)
    start = torch.empty(x.shape).uniform_(-8 / 255, 8 / 255, generator=stream)
    start = start.to(CUDA).contiguous(memory_format=torch.channels_last)
    return x, cross_entropy, y, start


def _uncaptured(attack, network, x, loss, y, start):
    return attack._steps(network, loss, x, y, start)


def test_replay_equals_the_call_that_was_not_captured(twin, attack):
    for begin in (0, BATCH, 2 * BATCH):
        given = _given(begin)
        expected = _uncaptured(attack, twin.network, *given)
        assert torch.equal(attack(twin.network, *given), expected)
    assert len(attack.graphs) == 1


def test_replay_sees_weights_that_were_changed_in_place(twin, attack):
    given = _given(0)
    before = attack(twin.network, *given)
    with torch.no_grad():
        twin.network.classifier.weight.neg_()
        for source in twin._sources:
            source.mul_(0.9)
    twin.refresh()
    after = attack(twin.network, *given)
    assert torch.equal(after, _uncaptured(attack, twin.network, *given))
    assert not torch.equal(after, before)
    assert len(attack.graphs) == 1


def test_examples_are_not_overwritten_by_the_next_call(twin, attack):
    first = attack(twin.network, *_given(0))
    kept = first.clone()
    assert not torch.equal(attack(twin.network, *_given(BATCH)), kept)
    assert torch.equal(first, kept)


def test_inputs_of_a_replay_are_left_as_they_are():
    x, y = torch.arange(4.0, device=CUDA), torch.ones(4, device=CUDA)
    captured = Captured(lambda a, b: a.mul(2).add_(b), (x, y))
    for shift in (0.0, 3.0):
        given = (x + shift, y)
        assert torch.equal(captured(given), 2 * (x + shift) + 1)
        assert torch.equal(given[0], x + shift)


def _graphs(run, kernels):
    """Return a training of *run*'s whose steps are captured, or made as they are."""
    run = replace(run, graphs=StepGraphs(run.method))
    if kernels == "launched":
        run.graphs.why_not = "the oracle"  # with the rate in a tensor, as captured
    return run


@pytest.mark.parametrize("method", METHODS)
def test_captured_steps_are_the_steps_bit_for_bit(smoke_spec, method):
    """Eager, so that nothing is compiled; label rules at work from the second epoch."""
    spec = smoke_spec(method=method, epochs=2, **SIZES)
    ends = []
    for kernels in ("captured", "launched"):
        run, _ = runner.build_training(
            spec, data=DATA, device=CUDA, diagnostics=("gradient_norm",)
        )
        run = _graphs(run, kernels)
        terms = []
        for _ in range(spec.epochs):
            terms += train_epoch(run, Stop(), Report())
            run.epoch, run.step = run.epoch + 1, 0
        ends.append({"terms": terms, "state": run.state_dict()})
        assert len(run.graphs.graphs) == (kernels == "captured")
    same(*ends)


def test_training_replays_compiled_steps_in_bf16(smoke_spec):
    """Two of five whole batches, and the evaluation; the shorter one comes once."""
    spec = smoke_spec(method="sgls", precision="bf16", **SIZES)
    run, _ = runner.build_training(spec, data=DATA, device=CUDA, engine="compiled")
    before = {key: value.clone() for key, value in run.model.state_dict().items()}
    terms = train_epoch(run, Stop(), Report())
    assert len(terms) == run.steps == 6
    assert all(torch.isfinite(term["cross_entropy"]) for term in terms)
    for key, value in run.model.state_dict().items():
        assert not torch.equal(value, before[key]), key
    assert run.graphs.why_not == "" and len(run.graphs.graphs) == 1
    rows = run.curves.rows(run.engine.frozen)
    assert all(0 <= row["value"] < 100 for row in rows)
    assert len(run.curves.evaluated_with.graphs) == 1
    assert not run.method.inner.attack.graphs
