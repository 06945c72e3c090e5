"""What chance and the calendar decide are functions of seed, epoch and step."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_problems import quick

from rofit.augmentation.crop_flip import CropFlip
from rofit.seeding import generator, numpy_rng, stream_seed
from rofit.settings.spec import RunSpec
from rofit.settings.threat import NORMS, ThreatModel
from rofit.training.plan import EpochPlan
from rofit.training.schedules import learning_rate

SHAPE = torch.Size((4, 1, 3, 3))
LINF = ThreatModel()


def _plan(seed=1, epoch=2, n=200):
    return EpochPlan(seed, epoch, n)


def _crops(plan, n=200, pad=4):
    (draws,) = plan.augmented([CropFlip(pad, True)], n, (32, 32))
    return draws["shifts"], draws["flips"]


def _draws(plan):
    return plan.order, *_crops(plan), plan.start(0, LINF, SHAPE)


def test_golden_streams_never_change():
    """None may ever change: the draws of every run on disk follow from them."""
    assert stream_seed(0, "order", 0) == 5039569843526022904
    assert stream_seed(3, "attack", 12, 7) == 2196128559433803173
    assert stream_seed(0, "init") == 8784609293862724968


names = st.text("abc", max_size=3) | st.integers(0, 99)


@quick
@given(st.integers(0, 2**40), st.lists(names, max_size=3))
def test_stream_is_a_function_of_its_name_and_fits_both_generators(seed, called):
    child_seed = stream_seed(seed, *called)
    assert child_seed == stream_seed(seed, *called) and 0 <= child_seed < 2**63
    one, other = (torch.rand(2, generator=generator(seed, *called)) for _ in "ab")
    assert torch.equal(one, other)
    one, other = (numpy_rng(seed, *called).random(2) for _ in "ab")
    assert np.array_equal(one, other)


def test_streams_of_other_names_counters_and_seeds_differ():
    calls = [(0, "order", 1), (0, "order", 2), (0, "crop", 1), (1, "order", 1)]
    calls += [(0, "attack", 1, 2), (0, "attack", 12), (0, "attack", 2, 1)]
    assert len({stream_seed(*call) for call in calls}) == len(calls)


def test_plan_is_a_function_of_seed_and_epoch():
    torch.manual_seed(0)
    one = _draws(_plan())
    torch.manual_seed(1)
    again = _draws(_plan())
    assert all(map(torch.equal, one, again))
    for other in (_draws(_plan(seed=2)), _draws(_plan(epoch=3))):
        assert not any(map(torch.equal, one, other))


def test_plan_draws_nothing_from_the_global_stream():
    before = torch.get_rng_state()
    _draws(_plan())
    assert torch.equal(torch.get_rng_state(), before)


def test_streams_of_a_plan_are_independent_of_each_other():
    """Another number of images or width of padding leaves the other draws alone."""
    plan, more = _plan(), _plan(n=300)
    assert torch.equal(_crops(plan)[1], _crops(plan, pad=0)[1])
    assert torch.equal(plan.start(3, LINF, SHAPE), more.start(3, LINF, SHAPE))


@quick
@given(st.integers(0, 99), st.integers(0, 99), st.integers(1, 60), st.integers(0, 4))
def test_every_image_is_seen_once_at_shifts_within_the_padding(seed, epoch, n, pad):
    plan = _plan(seed, epoch, n)
    shifts, flips = _crops(plan, n, pad)
    assert plan.order.sort().values.tolist() == list(range(n))
    assert shifts.shape == (n, 2) and flips.shape == (n,)
    assert shifts.min() >= 0 and shifts.max() <= 2 * pad
    assert flips.dtype == torch.bool


def test_shifts_reach_both_ends_evenly_and_half_are_flipped():
    """9,000 fixed draws: 1,000 of each shift and half flipped, within 5 deviations."""
    shifts, flips = _crops(_plan(n=9000), 9000)
    for column in shifts.T:
        counts = torch.bincount(column, minlength=9)
        assert counts.shape == (9,) and (counts - 1000).abs().max() < 5 * 30
    assert abs(flips.sum().item() - 4500) < 5 * 48
    assert not torch.equal(shifts[:, 0], shifts[:, 1])


@pytest.mark.parametrize("norm", NORMS)
def test_start_depends_on_the_step_and_not_on_what_was_asked_before(norm):
    threat = ThreatModel(norm, 0.5)
    plan = _plan()
    forward = [plan.start(step, threat, SHAPE) for step in range(3)]
    backward = [plan.start(step, threat, SHAPE) for step in (2, 1, 0)][::-1]
    assert all(map(torch.equal, forward, backward))
    assert not torch.equal(forward[0], forward[1])
    assert forward[0].shape == SHAPE and forward[0].device.type == "cpu"


@pytest.mark.parametrize(
    ("drops", "factor", "rates"),
    [
        ((0.5, 0.75), 0.1, [1.0] * 4 + [0.1] * 2 + [0.01] * 2),
        ((0.75, 0.5), 0.1, [1.0] * 4 + [0.1] * 2 + [0.01] * 2),  # in any order
        ((), 0.1, [1.0] * 8),
        ((0.0,), 0.5, [0.5] * 8),
        ((1.0,), 0.5, [1.0] * 8),
        ((0.5, 0.5), 0.5, [1.0] * 4 + [0.25] * 4),
        ((0.25,), 0.0, [1.0] * 2 + [0.0] * 6),
    ],
)
def test_each_drop_multiplies_the_rate_once_its_share_of_epochs_is_over(
    drops, factor, rates
):
    spec = RunSpec(lr=1.0, epochs=8, drops=drops, drop_factor=factor)
    actual = [learning_rate(spec, epoch) for epoch in range(8)]
    assert actual == pytest.approx(rates, rel=1e-12)


def test_shape_of_the_schedule_survives_another_number_of_epochs():
    """Half of the epochs at the full rate, then two quarters, of 60 as of 200."""
    for epochs in (60, 200):
        spec = RunSpec(epochs=epochs)
        rates = [learning_rate(spec, epoch) for epoch in range(epochs)]
        expected = [0.1] * (epochs // 2) + [0.01] * (epochs // 4)
        expected += [0.001] * (epochs // 4)
        assert rates == pytest.approx(expected, rel=1e-12)
