"""The compiled attack is PGD: the same examples up to rounding, whatever the batch."""

from dataclasses import replace
from functools import partial

import pytest
import tape
import torch
import torch.nn.functional as F
from torch._dynamo import config
from torch._dynamo.utils import counters
from training_helpers import digits, digits_net

from rofit.attacks import compiled as compiled_attack
from rofit.attacks.captured import Captured
from rofit.attacks.compiled import CompiledPGD, climb
from rofit.attacks.geometry import start
from rofit.attacks.pgd import PGD
from rofit.losses import (
    EnsembleLabels,
    cross_entropy,
    ensemble_loss,
    soft_cross_entropy,
)
from rofit.precision import PrecisionCopy
from rofit.settings.threat import NORMS, ThreatModel
from rofit.training.process import prepare

BATCH = 64
SMALL = {"width": 8, "mean": [0.3], "std": [0.37]}
X, Y = digits("test")  # 500 digits: seven batches and 52
# One setting a norm, that of the smoke runs where there is one: fewer compilations.
THREATS = {"linf": ThreatModel("linf", 8 / 255), "l2": ThreatModel("l2", 0.5)}
STEP_SIZES = {"linf": 2 / 255, "l2": 0.125}


@pytest.fixture(scope="module", autouse=True)
def _precision(compiler):
    prepare("fp32")  # as in runs: what is compiled asks for the precision of products


@pytest.fixture(scope="module")
def net():
    """A network that knows the digits, in eval mode."""
    return digits_net(**SMALL, seed=1).eval()


@pytest.fixture(scope="module")
def frozen(net):
    return PrecisionCopy(net, torch.float32).network


def _both(norm, steps):
    """Return PGD compiled and eager."""
    settings = (THREATS[norm], steps, STEP_SIZES[norm])
    return CompiledPGD(*settings, batch=BATCH), PGD(*settings)


def _starts(x, norm="linf", seed=0):
    return start(THREATS[norm], x.shape, torch.Generator().manual_seed(seed))


def _same(one, other, *, share=0.999):
    """Whether almost all pixels agree; a ReLU's kink may send an image another way."""
    assert one.shape == other.shape
    return ((one - other).abs() < 1e-5).float().mean() >= share


def _judged(net, x_adv):
    """Return mean loss and number of correct predictions on attacked digits."""
    with torch.no_grad():
        logits = net(x_adv)
    return cross_entropy(logits, Y).mean().item(), int((logits.argmax(1) == Y).sum())


def _graphs():
    return counters["stats"]["unique_graphs"]


# The share of pixels is the one that fp32 against fp64 reaches. An image that went
# another way is 0.2 % of the pixels; under L2 none of its pixels comes back.
@pytest.mark.parametrize(("norm", "share"), [("linf", 0.999), ("l2", 0.99)])
def test_ten_compiled_steps_end_where_pgds_do(net, frozen, norm, share):
    compiled, eager = _both(norm, 10)
    begin = _starts(X, norm)
    x_adv = compiled(frozen, X, cross_entropy, Y, begin)
    expected = eager(net, X, cross_entropy, Y, begin)
    assert _same(x_adv, expected, share=share)
    assert (x_adv - expected).abs().amax((1, 2, 3)).median() < 1e-6
    assert not x_adv.requires_grad


def test_compiled_steps_begin_outside_where_pgds_do(net, frozen):
    """Half of the digits' pixels are black: clamped, their starts are others."""
    settings = {"start_clamp": False}
    compiled, eager = (replace(attack, **settings) for attack in _both("linf", 2))
    begin = _starts(X)
    x_adv = compiled(frozen, X, cross_entropy, Y, begin)
    assert _same(x_adv, eager(net, X, cross_entropy, Y, begin))
    assert not _same(x_adv, _both("linf", 2)[0](frozen, X, cross_entropy, Y, begin))


def test_one_step_goes_along_pgds_gradient(net, frozen):
    """An L2 step in the middle of the range is the gradient over its length."""
    x = 0.3 + 0.4 * X
    ways = [
        (attack(network, x, cross_entropy, Y, torch.zeros_like(x)) - x) / 0.125
        for attack, network in zip(_both("l2", 1), (frozen, net), strict=True)
    ]
    assert torch.allclose(ways[0].flatten(1).norm(dim=1), torch.ones(len(x)), atol=1e-4)
    error = (ways[0] - ways[1]).flatten(1).norm(dim=1)
    assert error.median() <= 1e-5
    assert (error > 1e-4).float().mean() <= 0.05


def test_bf16_attack_is_as_strong_judged_in_fp32(net):
    """Absolute 1e-3 of 0.59 nats, and one of 500 images (0.2 points)."""
    compiled, eager = _both("linf", 10)
    begin = _starts(X)
    rounded = PrecisionCopy(net, torch.bfloat16).network
    x_adv = compiled(rounded, X, cross_entropy, Y, begin)
    assert x_adv.dtype == torch.float32
    loss, robust = _judged(net, x_adv)
    loss_fp32, robust_fp32 = _judged(net, eager(net, X, cross_entropy, Y, begin))
    assert loss == pytest.approx(loss_fp32, abs=1e-3)
    assert abs(robust - robust_fp32) <= 1
    assert robust_fp32 < _judged(net, X)[1] - 20  # there is something to agree on


@pytest.mark.parametrize("norm", NORMS)
def test_examples_stay_in_the_ball_and_in_the_valid_range(frozen, norm):
    """Even from starts outside; x + delta is rounded to 2^-24 a pixel."""
    x_adv = _both(norm, 3)[0](frozen, X, cross_entropy, Y, 3 * _starts(X, norm))
    delta = (x_adv - X).flatten(1)
    length = delta.norm(dim=1, p=2 if norm == "l2" else torch.inf)
    assert (length <= THREATS[norm].epsilon + 1e-6).all()
    assert length.median() > 0.5 * THREATS[norm].epsilon
    assert x_adv.min() >= 0 and x_adv.max() <= 1


@pytest.mark.parametrize("n", [1, 63, 64, 65, 150])
def test_any_number_of_images_gets_pgds_examples(net, frozen, n):
    compiled, eager = _both("linf", 3)
    given = (X[:n], cross_entropy, Y[:n], _starts(X)[:n])
    assert _same(compiled(frozen, *given), eager(net, *given))


def test_example_does_not_depend_on_the_others_in_its_batch(frozen):
    attack, begin = _both("linf", 3)[0], _starts(X)
    whole = attack(frozen, X, cross_entropy, Y, begin)
    order = torch.randperm(len(X), generator=torch.Generator().manual_seed(2))
    for some in (order, order[:3]):
        x_adv = attack(frozen, X[some], cross_entropy, Y[some], begin[some])
        assert _same(x_adv, whole[some])


@pytest.mark.parametrize(("epsilon", "steps"), [(8 / 255, 0), (0.0, 3)])
def test_no_steps_or_no_ball_return_the_start_projected(epsilon, steps):
    """Without a pass: there is no network to make it."""
    settings = (ThreatModel("linf", epsilon), steps, 2 / 255)
    given = (None, X[:5], cross_entropy, Y[:5], 2 * _starts(X)[:5])
    x_adv = CompiledPGD(*settings, batch=BATCH)(*given)
    assert torch.equal(x_adv, PGD(*settings, bn="train")(*given))
    assert torch.equal(x_adv, X[:5]) == (epsilon == 0)


def test_gradients_of_parameters_and_the_global_stream_stay_as_they_were(net):
    """On the network itself, whose parameters require gradients: compiled anew."""
    before, state = _graphs(), torch.get_rng_state()
    for p in net.parameters():
        p.grad = torch.full_like(p, 7.0)
    try:
        compiled, eager = _both("linf", 2)
        given = (net, X[:BATCH], cross_entropy, Y[:BATCH], _starts(X)[:BATCH])
        assert _same(compiled(*given), eager(*given))
        assert all((p.grad == 7).all() for p in net.parameters())
    finally:
        for p in net.parameters():
            p.grad = None
    assert torch.equal(torch.get_rng_state(), state)
    assert _graphs() > before


def test_soft_labels_are_climbed_as_by_pgd(net, frozen):
    compiled, eager = _both("linf", 5)
    soft = 0.3 * F.one_hot(Y, 10) + 0.7 * F.one_hot((Y + 1) % 10, 10)
    begin = _starts(X)
    x_adv = compiled(frozen, X, soft_cross_entropy, soft, begin)
    assert _same(x_adv, eager(net, X, soft_cross_entropy, soft, begin))
    hard = compiled(frozen, X, cross_entropy, Y, begin)
    assert not _same(x_adv, hard, share=0.9)


def _ensembles(y, weight):
    """Return hard labels, soft ones that lean to the next class, and weights."""
    hard = F.one_hot(y, 10).float()
    weights = weight * torch.linspace(0.5, 1.5, len(y))
    return EnsembleLabels(hard, 0.2 * hard + 0.8 * hard.roll(1, dims=1), weights)


def test_labels_of_several_tensors_are_climbed_as_by_pgd_by_one_graph(net, frozen):
    """Batches, the last filled up, and other weights: one compilation."""
    compiled, eager = _both("linf", 5)
    begin, ends, graphs = _starts(X), [], []
    for weight in (2.0, 200.0):
        given = (X, ensemble_loss, _ensembles(Y, weight), begin)
        ends.append(compiled(frozen, *given))
        assert _same(ends[-1], eager(net, *given))
        graphs.append(_graphs())
    assert not _same(*ends, share=0.9)
    assert graphs[0] == graphs[1]


def test_captured_attack_reads_every_tensor_of_its_labels_anew(frozen, monkeypatch):
    """A tape in the place of a CUDA graph, and the step as it is not compiled."""
    recorded = partial(Captured, warm_up=0, record=tape.record)
    monkeypatch.setattr(compiled_attack, "Captured", recorded)
    monkeypatch.setattr(compiled_attack, "_compiled_step", lambda: climb)
    settings = (THREATS["linf"], 2, STEP_SIZES["linf"])
    captured = CompiledPGD(*settings, batch=BATCH, captured=True)
    plain, ends = CompiledPGD(*settings, batch=BATCH), []
    for y, weight in ((Y, 2.0), (Y, 200.0), (Y.flip(0), 200.0)):
        given = (X[:100], ensemble_loss, _ensembles(y[:100], weight), _starts(X)[:100])
        ends.append(captured(frozen, *given))
        assert torch.equal(ends[-1], plain(frozen, *given))
    assert len(captured.graphs) == 1
    assert not torch.equal(ends[0], ends[1]) and not torch.equal(ends[1], ends[2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_second_network_of_an_architecture_compiles_nothing(net, dtype):
    """Nor do other weights, more steps, another attack of the same step."""
    other = digits_net(**SMALL, seed=5, steps=0)
    given = (X[:BATCH], cross_entropy, Y[:BATCH], _starts(X)[:BATCH])
    first = _both("linf", 2)[0](PrecisionCopy(net, dtype).network, *given)
    before = _graphs()
    assert before > 0
    with config.patch(error_on_recompile=True):
        attack, eager = _both("linf", 3)
        twin = PrecisionCopy(other, dtype)
        x_adv = attack(twin.network, *given)
        with torch.no_grad():
            other.classifier.weight.neg_()
        twin.refresh()
        turned = attack(twin.network, *given)
    assert _graphs() == before
    assert not torch.equal(x_adv, turned) and not torch.equal(x_adv, first)
    # bf16 is rounded at other places in fused kernels, which turns small gradients.
    assert _same(turned, eager(twin.network, *given), share=0.8)


def test_attack_is_called_as_pgd_is():
    for steps in (1, 10, 20):
        assert {attack.name for attack in _both("linf", steps)} == {f"pgd{steps}"}
