"""Labels from a teacher, an average or an ensemble, against loops over examples."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_problems import batch, conv_net, quick

from rofit.labels.distilled import Distilled
from rofit.labels.ensembled import Ensembled
from rofit.labels.rectified import Rectified, annealed, rectified
from rofit.labels.table import Tabled

K = 3
X, Y = batch(6)
HARD = torch.eye(K, dtype=torch.float64)[Y]
ALL = torch.arange(len(Y))
share = st.floats(0, 1)


def _logits(seed, n=6):
    stream = torch.Generator().manual_seed(seed)
    return 3 * torch.randn((n, K), generator=stream, dtype=torch.float64)


def _softmax(row, temperature=1.0):
    powers = [math.exp(value / temperature) for value in row.tolist()]
    return [power / sum(powers) for power in powers]


def _in_double(rule):
    """Return a rule whose table is float64."""
    name = "sums" if hasattr(rule, "sums") else "table"
    setattr(rule, name, getattr(rule, name).double())
    return rule


@quick
@given(share, st.integers(0, 99))
def test_rectified_labels_are_the_formula_example_by_example(top, seed):
    logits = _logits(seed)
    labels = rectified(logits, Y, top)
    for i, row in enumerate(logits):
        p = _softmax(row)
        mixed = min(max(top - (max(p) - p[int(Y[i])]), 0.0), 1.0)
        expected = [mixed * p[k] + (1 - mixed) * (k == int(Y[i])) for k in range(K)]
        assert labels[i].tolist() == pytest.approx(expected, abs=1e-14)
    assert torch.allclose(
        labels.sum(1), torch.ones(len(Y)).double(), rtol=0, atol=1e-14
    )


def test_teacher_that_is_sure_and_wrong_is_not_listened_to():
    """Beyond the share nothing of it is left; where it agrees all of the share is."""
    logits = 50 * HARD.roll(1, dims=1)
    assert torch.equal(rectified(logits, Y, 0.9), HARD)
    agrees = rectified(_logits(0) + 50 * HARD, Y, 0.9)
    assert torch.allclose(agrees, HARD, rtol=0, atol=1e-12)


@quick
@given(share, st.integers(0, 99))
def test_given_class_is_never_less_likely_than_by_its_share(top, seed):
    """What rectifying is for: label_y >= 1 - lambda, and 1 where lambda is 0."""
    labels = rectified(_logits(seed), Y, top)
    assert (labels[ALL, Y] >= 1 - top - 1e-14).all() and (labels >= 0).all()


@pytest.mark.parametrize(
    ("progress", "expected"),
    [(0.0, 2.5), (0.25, 2.0 + 0.25 * (1 + math.sqrt(0.5))), (0.5, 2.25), (1.0, 2.0)],
)
def test_annealing_is_half_a_cosine_from_first_to_last(progress, expected):
    assert annealed(2.5, 2.0, progress) == pytest.approx(expected, rel=1e-15)


@quick
@given(share, share, share, share)
def test_annealing_goes_one_way_and_stays_between(first, last, one, other):
    low, high = sorted((first, last))
    values = [annealed(first, last, p) for p in sorted((one, other))]
    assert all(low - 1e-15 <= value <= high + 1e-15 for value in values)
    assert (values[1] - values[0]) * (last - first) >= -1e-15


def _rectifying(net):
    options = dict(decay=0.75, temperatures=(2.0, 0.5), shares=(0.3, 0.9))
    return _in_double(Rectified(net, Y, K, **options))


@pytest.mark.parametrize("progress", [0.0, 0.5, 0.9])
def test_teacher_looks_at_clean_images_with_running_statistics(progress):
    """In any order of positions; the network in training is not looked at."""
    net = conv_net()
    rule, index = _rectifying(net), torch.tensor([4, 0, 3])
    teacher = conv_net().eval()
    with torch.no_grad():
        net[4].weight.mul_(-1)
    rule.begin_step(progress)
    rule.prepare(net, X[index], Y[index], index)
    half = (1 + math.cos(math.pi * progress)) / 2
    tau, top = 0.5 + 1.5 * half, 0.9 - 0.6 * half
    with torch.no_grad():
        expected = rectified(teacher(X[index]) / tau, Y[index], top)
    assert torch.allclose(rule.current(index, Y[index]), expected, rtol=0, atol=1e-14)
    rest = [1, 2, 5]
    assert torch.equal(rule.table[rest], HARD[rest])
    assert torch.equal(
        rule.refine(index, Y[index], _logits(0, 3), None), rule.table[index]
    )
    assert not rule.table.requires_grad and not rule.reads_clean


def test_teacher_follows_the_network_after_every_step():
    net = conv_net()
    rule = _rectifying(net)
    expected = net[4].weight.detach().clone()
    for _ in range(3):
        with torch.no_grad():
            net[4].weight.add_(1.0)
        rule.after_step()
        expected = 0.75 * expected + 0.25 * net[4].weight.detach()
    weight = rule.teacher.network[4].weight
    assert torch.allclose(weight, expected, rtol=1e-14, atol=0)
    other = _rectifying(conv_net(seed=1))
    other.load_state_dict(rule.state_dict())
    assert torch.equal(other.teacher.network[4].weight, weight)
    assert other.teacher.network[4].weight.data_ptr() != weight.data_ptr()


def _ensembles(**options):
    about = dict(momentum=0.8, start=0.45, full=0.75, largest=300.0) | options
    return _in_double(Ensembled(Y, K, **about))


def test_ensembles_are_averages_begun_at_zero_and_opinions_sum_to_one():
    """Every image by its own predictions, in eval mode, as often as it was seen."""
    rule, net = _ensembles(), conv_net().eval()
    rule.begin_epoch(9, 10)
    slow = [[0.0] * K for _ in Y]
    for seed in range(5):
        index = torch.randperm(6, generator=torch.Generator().manual_seed(seed))[:4]
        x = batch(4, seed=seed)[0]
        rule.prepare(net, x, Y[index], index)
        with torch.no_grad():
            logits = net(x)
        for place, row in zip(index.tolist(), logits, strict=True):
            p = _softmax(row)
            slow[place] = [
                0.8 * q + 0.2 * v for q, v in zip(slow[place], p, strict=True)
            ]
    assert torch.allclose(
        rule.sums, torch.tensor(slow, dtype=torch.float64), rtol=0, atol=1e-14
    )
    labels = rule.current(ALL, Y)
    for i, sums in enumerate(slow):
        expected = [q / sum(sums) for q in sums] if sum(sums) else HARD[i].tolist()
        assert labels[i].tolist() == pytest.approx(expected, abs=1e-13)
    assert not rule.sums.requires_grad


def test_image_that_was_not_seen_has_its_given_label():
    rule = _ensembles()
    rule.begin_epoch(9, 10)
    assert torch.equal(rule.current(ALL, Y), HARD)
    rule.prepare(conv_net().eval(), X[:1], Y[:1], ALL[:1])
    assert torch.equal(rule.current(ALL[1:], Y[1:]), HARD[1:])
    assert not torch.equal(rule.current(ALL[:1], Y[:1]), HARD[:1])


def test_weight_of_agreeing_grows_as_the_source_says():
    """0 before epoch 90 of 200 (from 1), 300 exp(-5 (1 - (t - 90) / 60)^2), 300."""
    rule = _ensembles(start=0.445, full=0.745)
    for t in range(1, 201):
        rule.begin_epoch(t - 1, 200)
        grown = min((t - 90) / 60, 1.0)
        expected = 300 * math.exp(-5 * (1 - grown) ** 2) if t >= 90 else 0.0
        assert rule.weight == pytest.approx(expected, rel=1e-12), t
        assert rule.active == (t >= 90)


@pytest.mark.parametrize("full", [0.5, 0.2])
def test_weight_is_whole_from_the_start_where_there_is_no_time_to_grow(full):
    rule = _ensembles(start=0.5, full=full)
    rule.begin_epoch(4, 10)
    assert rule.weight == 0.0
    rule.begin_epoch(5, 10)
    assert rule.weight == 300.0


def test_before_their_time_ensembles_look_at_nothing():
    rule = _ensembles()
    rule.begin_epoch(0, 10)
    rule.prepare(lambda x: pytest.fail("no prediction is asked for"), X, Y, ALL)
    assert (rule.sums == 0).all() and torch.equal(rule.current(ALL, Y), HARD)


def _distilled(weights, temperature=2.0):
    teachers = [conv_net(seed=seed).eval() for seed in range(len(weights))]
    pairs = list(zip(teachers, weights, strict=True))
    return _in_double(Distilled(Y, K, pairs, temperature)), teachers


@pytest.mark.parametrize("weights", [(0.1, 0.6), (0.0, 2.0), (1.0,)])
def test_distilled_label_is_the_mean_of_teachers_at_their_temperature(weights):
    rule, teachers = _distilled(weights, temperature=3.0)
    index = torch.tensor([5, 2, 0])
    rule.attacked(X[index], index)
    for i in index.tolist():
        with torch.no_grad():
            predictions = [_softmax(net(X[i : i + 1])[0], 3.0) for net in teachers]
        expected = [
            sum(w * p[k] for w, p in zip(weights, predictions, strict=True))
            / sum(weights)
            for k in range(K)
        ]
        assert rule.table[i].tolist() == pytest.approx(expected, abs=1e-14)
    assert torch.equal(rule.table[[1, 3, 4]], HARD[[1, 3, 4]])
    assert all(p.grad is None for net in teachers for p in net.parameters())


def test_teachers_of_no_weight_leave_the_given_labels():
    rule, _ = _distilled((0.0, 0.0))
    rule.attacked(X, ALL)
    assert torch.equal(rule.current(ALL, Y), HARD)


def test_one_label_stands_for_the_weighted_cross_entropies():
    """sum_j b_j CE(t_j, p) = (sum_j b_j) CE(mean, p): what the rule rests on."""
    rule, teachers = _distilled((0.1, 0.6))
    rule.attacked(X, ALL)
    logs = _logits(0).log_softmax(1)
    mine = -0.7 * (rule.table * logs).sum(1)
    with torch.no_grad():
        predictions = [(net(X) / 2).softmax(1) for net in teachers]
    expected = -(0.1 * predictions[0] + 0.6 * predictions[1]) * logs
    assert torch.allclose(mine, expected.sum(1), rtol=1e-13, atol=0)


def test_table_survives_a_round_trip_and_is_not_shared():
    one, other = _in_double(Tabled(Y, K)), _in_double(Tabled(Y, K))
    one.table[2] = torch.tensor([0.5, 0.25, 0.25])
    other.load_state_dict(one.state_dict())
    assert torch.equal(other.table, one.table)
    one.table[2] = 0.0
    assert not torch.equal(other.table, one.table)
