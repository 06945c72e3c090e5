"""Labels that other networks predict, and mean predictions of classes, by loops."""

import math

import pytest
import torch
from toy_problems import batch, conv_net
from training_helpers import digits, digits_net

from rofit.labels.averaged import Averaged
from rofit.labels.class_means import ClassMeans
from rofit.labels.distilled import Distilled
from rofit.training import checkpoint

K = 3
X, Y = batch(6)
X_ADV = batch(6, seed=1)[0]
HARD = torch.eye(K, dtype=torch.float64)[Y]
ALL, INDEX = torch.arange(6), torch.tensor([5, 2, 0])


def _softmax(row, temperature=1.0):
    powers = [math.exp(value / temperature) for value in row.tolist()]
    return [power / sum(powers) for power in powers]


def _predicted(net, x, temperature=1.0):
    with torch.no_grad():
        logits = net(x)
    rows = [_softmax(row, temperature) for row in logits]
    return torch.tensor(rows, dtype=torch.float64)


def _near(one, other):
    assert torch.allclose(one, other, rtol=0, atol=1e-14)


def _doubled(rule, *names):
    for name in names:
        setattr(rule, name, getattr(rule, name).double())
    return rule


@pytest.mark.parametrize("on_clean", [True, False])
def test_teacher_predicts_on_the_inputs_that_it_is_said_to(on_clean):
    teacher = conv_net(seed=3).eval()
    rule = Distilled(Y, K, [(teacher, 1.0)], 3.0, on_clean=on_clean)
    _doubled(rule, "table")
    rule.prepare(conv_net().eval(), X[INDEX], Y[INDEX], INDEX)
    before = _predicted(teacher, X[INDEX], 3.0) if on_clean else HARD[INDEX]
    _near(rule.current(INDEX, Y[INDEX]), before)
    rule.attacked(X_ADV[INDEX], INDEX)
    x = X if on_clean else X_ADV
    _near(rule.current(INDEX, Y[INDEX]), _predicted(teacher, x[INDEX], 3.0))
    assert torch.equal(rule.table[[1, 3, 4]], HARD[[1, 3, 4]])


def test_average_predicts_on_adversarial_inputs_by_its_weights_of_now():
    net = conv_net(seed=2).eval()
    rule = _doubled(Averaged(Y, K, net, start=0.5), "table")
    rule.begin_epoch(4, 10)
    rule.attacked(X_ADV[INDEX], INDEX)
    assert not rule.active and torch.equal(rule.current(ALL, Y), HARD)
    rule.begin_epoch(5, 10)
    for _ in range(2):
        with torch.no_grad():
            net[4].weight.add_(0.5)
        rule.prepare(net, X[INDEX], Y[INDEX], INDEX)
        rule.attacked(X_ADV[INDEX], INDEX)
        _near(rule.current(INDEX, Y[INDEX]), _predicted(net, X_ADV[INDEX]))
    assert torch.equal(rule.table[[1, 3, 4]], HARD[[1, 3, 4]])
    assert not rule.table.requires_grad and not rule.reads_clean


def test_average_in_bf16_follows_the_weights_too():
    """A copy of rounded weights that stayed behind would predict what it did before."""
    (x, y), net = digits("test"), digits_net().eval()
    x, y, index = x[:20], y[:20], torch.arange(20)
    rule = Averaged(y, 10, net, start=0.0, precision="bf16")
    rule.begin_epoch(0, 10)
    rule.attacked(x, index)
    before = rule.table.clone()
    with torch.no_grad():
        net.stem.weight.mul_(-1.0)
    rule.attacked(x, index)
    with torch.no_grad():
        expected = net(x).softmax(1)
    assert torch.allclose(rule.table, expected, rtol=0, atol=0.05)
    assert not torch.equal(rule.table, expected)
    assert not torch.allclose(before, expected, rtol=0, atol=0.05)


def _logits(seed, n=6):
    stream = torch.Generator().manual_seed(seed)
    return 3 * torch.randn((n, K), generator=stream, dtype=torch.float64)


def _class_means(y=Y, temperature=2.0):
    return _doubled(ClassMeans(y, K, temperature), "means", "sums")


def _epoch_of(rule, epoch, seeds, y=Y):
    """Two batches of clean predictions; return each class' mean, by a loop."""
    rule.begin_epoch(epoch, 9)
    rows = {k: [] for k in range(K)}
    for seed in seeds:
        logits = _logits(seed)
        soft = rule.refine(ALL, y, _logits(seed + 50), logits)
        assert torch.equal(soft, torch.eye(K, dtype=torch.float64)[y])
        for label, row in zip(y.tolist(), logits, strict=True):
            rows[label].append(_softmax(row, 2.0))
    return torch.tensor(
        [
            [sum(column) / len(rows[k]) for column in zip(*rows[k], strict=True)]
            if rows[k]
            else [1 / K] * K
            for k in range(K)
        ],
        dtype=torch.float64,
    )


def test_classes_have_the_mean_prediction_of_the_epoch_before():
    assert set(Y.tolist()) == set(range(K))
    rule = _class_means()
    expected = torch.full_like(rule.means, 1 / K)
    for epoch, seeds in enumerate([(0, 1), (2, 3), (4, 5)]):
        of_this = _epoch_of(rule, epoch, seeds)
        _near(rule.means, expected)
        expected = of_this
    assert expected.std() > 0.05


def test_class_without_images_stays_uniform():
    y = torch.zeros_like(Y)
    rule = _class_means(y)
    expected = _epoch_of(rule, 0, (0, 1), y)
    rule.begin_epoch(1, 9)
    _near(rule.means, expected)
    assert torch.equal(rule.means[1:], torch.full_like(rule.means[1:], 1 / K))


def test_epoch_that_is_resumed_goes_on_with_its_sums(tmp_path):
    rule = _class_means()
    _epoch_of(rule, 0, (0, 1))
    _epoch_of(rule, 1, (2,))
    checkpoint.save(rule.state_dict(), tmp_path / "rule.pt")
    other = _class_means()
    state = checkpoint.load(tmp_path / "rule.pt", torch.device("cpu"))
    other.load_state_dict(state)
    other.begin_epoch(1, 9)  # a run that was not stopped begins its epoch once
    for one in (rule, other):
        one.refine(ALL, Y, _logits(53), _logits(3))
        one.begin_epoch(2, 9)
    assert torch.equal(rule.means, other.means) and (rule.sums == 0).all()
    assert rule.epoch == other.epoch == 2
