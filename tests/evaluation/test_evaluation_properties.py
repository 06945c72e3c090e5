"""What counts as fooled, and that a table of verdicts is all the state there is."""

from functools import cache

import pytest
import torch
from evaluated_digits import make_case
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from toy_problems import batch, conv_net, linear_net, quick

from rofit.attacks.geometry import inside, into_ball
from rofit.evaluation.autoattack import ORDER
from rofit.evaluation.cases import ATTACKS, WITHOUT_DLR
from rofit.evaluation.stages import Stage, make_stages
from rofit.evaluation.verdicts import (
    COLUMNS,
    EvaluationImages,
    accuracy_after,
    fooled,
    robust_accuracy,
    run_stages,
    unattacked,
)
from rofit.settings.threat import NORMS, ThreatModel

FEW = settings(quick, max_examples=3)  # an example makes hundreds of passes
ATTACKED = [(kind, norm) for kind, about in ATTACKS.items() for norm in about.norms]
SEEDS = st.integers(0, 10**6)


def _stream(seed):
    return torch.Generator().manual_seed(seed)


def _length(delta, norm):
    flat = delta.double().flatten(1)
    return flat.abs().amax(1) if norm == "linf" else flat.norm(dim=1)


@cache
def _net(seed):
    net = conv_net(channels=1, size=8, n_classes=4, seed=seed)
    return net.float().eval().requires_grad_(False)


@pytest.mark.parametrize(("kind", "norm"), ATTACKED)
@FEW
@given(st.floats(0.02, 1), SEEDS)
def test_whatever_fools_is_in_the_ball_and_in_the_valid_range(kind, norm, share, seed):
    """In float32: 1e-5 of the radius and 3e-7 a pixel are what rounding may take."""
    if kind in (*ORDER, "autoattack", WITHOUT_DLR):
        pytest.importorskip("pyautoattack")
    number = {"pgd": 5, "cw": 5, "square": 30, "autoattack": 30, WITHOUT_DLR: 30}
    number = number.get(kind, 0)
    epsilon = share * {"linf": 0.5, "l2": 3.0}[norm]
    case = make_case(kind, norm, number=number, epsilon=epsilon, seed=seed)
    net, x = _net(0), torch.rand((6, 1, 8, 8), generator=_stream(seed))
    y, index = net(x).argmax(1), list(range(seed, seed + 6))
    stages = make_stages(case, net, n_classes=4, source=_net(1))
    assert stages[0].name == "clean" and len(stages) > (kind != "clean")
    for stage in stages:
        x_adv = stage.find(x, y, index)
        wrong = fooled(net, case.threat, x, y, x_adv)
        assert not wrong.any() or stage.name != "clean"
        assert (_length(x_adv - x, norm) <= epsilon * (1 + 1e-5) + 3e-7)[wrong].all()
        assert ((x_adv >= 0) & (x_adv <= 1))[wrong].all()
        near = into_ball(case.threat, x, x_adv)
        assert (_length(near - x, norm) <= epsilon * (1 + 1e-6) + 1e-7)[wrong].all()
        assert (net(near).argmax(1) != y)[wrong].all()


@quick
@given(st.sampled_from(NORMS), st.floats(0.01, 1), SEEDS)
def test_candidates_outside_of_the_ball_do_not_count_even_if_wrong(norm, share, seed):
    """The prediction is always wrong; a tenth farther than the radius is too far."""
    weight = torch.zeros(1, 8, 8, dtype=torch.float64)
    net, x = linear_net(weight), batch(5, channels=1, size=8, seed=seed)[0]
    y = torch.ones(5, dtype=torch.int64)  # equal logits mean class 0
    threat = ThreatModel(norm, share * {"linf": 0.3, "l2": 2.0}[norm])
    delta = torch.randn(x.shape, generator=_stream(seed)).double()
    delta *= threat.epsilon / _length(delta, norm).view(-1, 1, 1, 1)
    assert fooled(net, threat, x, y, x + delta).all()
    assert not fooled(net, threat, x, y, x + 1.1 * delta).any()
    assert not fooled(net, threat, x, 0 * y, x + delta).any()
    torn = x + delta
    torn[1, 0, 3, 3], torn[2, 0, 0, 7] = torch.nan, torch.inf
    assert fooled(net, threat, x, y, torn).tolist() == [True, False, False, True, True]


def test_a_candidate_is_judged_where_its_projection_is():
    """It leaves the ball by rounding only, but no point of the ball is predicted so."""

    class Beyond(nn.Module):
        def forward(self, x):
            over = (x > 0.6 + 5e-8).flatten(1).double()
            return torch.cat([0.5 - over, over], dim=1)

    x = torch.full((1, 1, 1, 1), 0.5, dtype=torch.float64)
    threat, y, x_adv = ThreatModel("linf", 0.1), torch.tensor([0]), x + 0.1 + 1e-7
    assert inside(threat, x, x_adv) and Beyond()(x_adv).argmax(1) != y
    assert not fooled(Beyond(), threat, x, y, x_adv)
    assert fooled(Beyond(), ThreatModel("linf", 0.11), x, y, x_adv)


class Bright(nn.Module):
    """Says 1 of images above a half and 0 of the others."""

    def forward(self, x):
        over = (x.flatten(1).mean(1) > 0.5).double()
        return torch.stack([0.5 - over, over], dim=1)


NAMES = ["clean", "a", "b 1", "b 2", "b 3", "c"]
ANYTHING = ThreatModel("linf", 1.0)
# For each image the stages that would fool it; positions are no row numbers.
WEAK = st.lists(st.sets(st.integers(0, 5), max_size=2), min_size=1, max_size=9)


def _mill(weak):
    """Return stages that turn the images of that position over, and the images."""

    def find(number):
        def turned(x, y, index):
            flipped = [number in weak[(i - 7) // 3] for i in index]
            return torch.where(torch.tensor(flipped).view(-1, 1, 1, 1), 1 - x, x)

        return turned

    stages = [Stage(name, name.split()[0], 1, find(k)) for k, name in enumerate(NAMES)]
    y = torch.arange(len(weak)) % 2
    x = y.double().view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    return stages, EvaluationImages(x, y, [7 + 3 * k for k in range(len(weak))])


def _grind(stages, images, table, chunk, after=lambda *_: False):
    return run_stages(
        stages, Bright(), ANYTHING, images, table, chunk=chunk, after=after
    )


@quick
@given(WEAK, st.integers(1, 10))
def test_table_is_that_of_a_loop_over_images(weak, chunk):
    stages, images = _mill(weak)
    table, batches = unattacked(images), []
    assert list(table) == list(COLUMNS) and robust_accuracy(table) == 1

    def after(table, stage, n):
        batches.append((stage.name, n, table["stages"].sum()))

    assert _grind(stages, images, table, chunk, after)
    assert list(table) == list(COLUMNS)
    assert table["index"].tolist() == images.index
    assert table["class"].tolist() == images.y.tolist()
    by = [NAMES[min(fooling)] if fooling else "" for fooling in weak]
    assert table["fooled_by"].tolist() == by
    through = [min(fooling) + 1 if fooling else len(NAMES) for fooling in weak]
    assert table["stages"].tolist() == through
    assert all(0 < n <= chunk for _, n, _ in batches)
    done = torch.tensor([n for _, n, _ in batches]).cumsum(0).tolist()
    assert [n for *_, n in batches] == done and done[-1] == sum(through)


@quick
@given(WEAK, st.integers(1, 10))
def test_accuracy_after_falls_and_ends_at_what_is_robust(weak, chunk):
    stages, images = _mill(weak)
    table = unattacked(images)
    _grind(stages, images, table, chunk)
    accuracies = accuracy_after(table, stages)
    last = {"clean": 0, "a": 1, "b": 4, "c": 5}
    assert list(accuracies) == list(last)
    for group, number in last.items():
        kept = [min(fooling, default=9) > number for fooling in weak]
        assert accuracies[group] == pytest.approx(sum(kept) / len(weak), rel=1e-12)
    falling = list(accuracies.values())
    assert falling == sorted(falling, reverse=True)
    assert falling[-1] == robust_accuracy(table)


def _at_batch(number):
    """Return what asks for an end after so many batches."""
    counter = iter(range(1, number + 1))
    return lambda *_: next(counter) == number


@settings(quick, max_examples=10)
@given(WEAK, st.integers(1, 4))
def test_a_broken_run_ends_with_the_table_of_an_unbroken_one(weak, chunk):
    stages, images = _mill(weak)
    whole, states = unattacked(images), []
    _grind(stages, images, whole, chunk, lambda table, *_: states.append(table.copy()))
    for stop in range(1, len(states)):
        table = unattacked(images)
        assert not _grind(stages, images, table, chunk, _at_batch(stop))
        assert table.equals(states[stop - 1])
        assert _grind(stages, images, table, 1 + stop % 3)
        assert table.equals(whole)
    table, batches = unattacked(images), 1  # the last one ends it
    while not _grind(stages, images, table, chunk, lambda *_: True):
        batches += 1
    assert table.equals(whole) and batches == len(states)


@quick
@given(st.integers(1, 20), st.integers(1, 6))
def test_shares_are_a_partition_of_the_images(n, of):
    images = _mill([set()] * n)[1]
    shares = [images.share(k, of) for k in range(1, of + 1)]
    assert sorted(i for share in shares for i in share.index) == images.index
    for share in shares:
        assert share.y.tolist() == [(i - 7) // 3 % 2 for i in share.index]
        assert len(share.x) == len(share.y)
    assert images.first(3).index == images.index[:3] and len(images.first(3).x) == min(
        n, 3
    )
