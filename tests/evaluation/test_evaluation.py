"""Accuracy and loss against a loop over images, one at a time."""

from copy import deepcopy

import pytest
import torch
from toy_problems import batch, conv_net

from rofit.attacks.geometry import start
from rofit.attacks.pgd import PGD
from rofit.evaluation import accuracy
from rofit.evaluation.accuracy import Verdict, measure_accuracy
from rofit.losses import cross_entropy
from rofit.settings.threat import ThreatModel

THREAT = ThreatModel("linf", 0.1)
ATTACK = PGD(THREAT, 4, 0.04)
N = 11


@pytest.fixture
def problem():
    """A net in train mode, images, classes and starts."""
    x, y = batch(N, seed=4)
    begin = start(THREAT, x.shape, torch.Generator().manual_seed(0)).double()
    return conv_net(), x, y, begin


def _slow(net, x, y, begin):
    """Return correct answers and losses of images attacked one by one (eval mode)."""
    net = deepcopy(net).eval()
    correct, losses = 0, []
    for i in range(len(x)):
        one = slice(i, i + 1)
        inputs = x[one]
        if begin is not None:
            inputs = ATTACK(net, inputs, cross_entropy, y[one], begin[one])
        p = net(inputs).softmax(1)[0]
        correct += int(p.argmax().item() == y[i].item())
        losses.append(-p[y[i]].log().item())
    return correct, losses


def _same(verdict, correct, losses):
    assert verdict.n == len(losses)
    assert verdict.accuracy == correct / len(losses)
    # logits are rounded to float32 for the loss
    assert verdict.loss == pytest.approx(sum(losses) / len(losses), rel=1e-6)


@pytest.mark.parametrize("attacked", [False, True])
@pytest.mark.parametrize("chunk", [1, 4, N, 250])
def test_verdict_equals_a_loop_over_images_for_any_chunk(
    problem, chunk, attacked, monkeypatch
):
    """Chunks of 4 leave a short one of 3: it must weigh as much as its images."""
    monkeypatch.setitem(accuracy.CHUNK, "cpu", chunk)
    net, x, y, begin = problem
    if attacked:
        verdict = measure_accuracy(net, x, y, attack=ATTACK, start=begin)
        correct, losses = _slow(net, x, y, begin)
    else:
        verdict = measure_accuracy(net, x, y)
        correct, losses = _slow(net, x, y, None)
    assert 0 < correct < N
    _same(verdict, correct, losses)


def test_attack_lowers_what_it_should(problem):
    net, x, y, begin = problem
    clean, robust = (
        measure_accuracy(net, x, y),
        measure_accuracy(net, x, y, attack=ATTACK, start=begin),
    )
    assert robust.accuracy <= clean.accuracy and robust.loss > clean.loss


def test_short_last_chunk_is_weighted_by_its_images(monkeypatch):
    """Three right answers and a wrong one alone in its chunk: 3/4, not (1 + 0) / 2."""
    monkeypatch.setitem(accuracy.CHUNK, "cpu", 3)
    x = torch.tensor([2.0, 2.0, 2.0, -5.0]).view(4, 1, 1, 1)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1, 2, bias=False))
    net[1].weight.data = torch.tensor([[0.0], [1.0]])
    y = torch.ones(4, dtype=torch.int64)
    softplus = torch.nn.functional.softplus(-x.flatten().double())
    verdict = measure_accuracy(net, x, y)
    assert (verdict.accuracy, verdict.n) == (0.75, 4)
    assert verdict.loss == pytest.approx(softplus.mean().item(), rel=1e-6)


def test_verdict_does_not_depend_on_the_order_of_the_images(problem):
    net, x, y, begin = problem
    order = torch.randperm(N, generator=torch.Generator().manual_seed(1))
    one = measure_accuracy(net, x, y, attack=ATTACK, start=begin)
    other = measure_accuracy(net, x[order], y[order], attack=ATTACK, start=begin[order])
    assert one.accuracy == other.accuracy
    assert one.loss == pytest.approx(other.loss, rel=1e-12)


@pytest.mark.parametrize("attack", [None, ATTACK, PGD(THREAT, 4, 0.04, bn="train")])
def test_evaluation_is_in_eval_mode_and_leaves_no_trace(problem, attack):
    net, x, y, begin = problem
    net[1].eval()  # partly frozen
    modes = [module.training for module in net.modules()]
    state, stream = deepcopy(net.state_dict()), torch.get_rng_state()
    training_flags = []
    net[1].register_forward_hook(lambda module, *_: training_flags.append(net.training))
    measure_accuracy(net, x, y, attack=attack, start=begin if attack else None)
    assert training_flags and not any(training_flags)
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())
    assert torch.equal(torch.get_rng_state(), stream)


def test_modes_are_restored_also_when_the_network_raises(problem):
    net, x, y, _ = problem
    net[1].eval()
    modes = [module.training for module in net.modules()]
    with pytest.raises(RuntimeError):
        measure_accuracy(net, x[:, :1], y)  # a channel is missing
    assert [module.training for module in net.modules()] == modes


def test_verdict_holds_plain_numbers(problem):
    net, x, y, _ = problem
    verdict = measure_accuracy(net, x, y)
    assert isinstance(verdict, Verdict)
    kinds = [type(value) for value in (verdict.accuracy, verdict.loss, verdict.n)]
    assert kinds == [float, float, int]


def test_attack_without_starts_never_passes_for_clean(problem):
    net, x, y, _ = problem
    with pytest.raises(ValueError, match="give both, or neither"):
        measure_accuracy(net, x, y, attack=ATTACK)
