"""What differs between norms, against what defines it."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest
from toy_problems import batch, quick

from rofit.attacks.geometry import (
    GEOMETRIES,
    L2_STARTS,
    inside,
    into_ball,
    radius_start,
    start,
)
from rofit.settings import choices
from rofit.settings.threat import NORMS, ThreatModel

SHAPE = torch.Size((20_000, 3, 1, 1))  # three dimensions: the laws are known


def _stream(seed=0):
    return torch.Generator().manual_seed(seed)


def _length(delta, norm):
    flat = delta.flatten(1)
    return flat.abs().amax(1) if norm == "linf" else flat.norm(dim=1)


def _is_uniform(draws, low, high):
    """Whether 20,000 draws are: one in a million good ones is farther off than 0.02."""
    return kstest(draws.numpy(), "uniform", args=(low, high - low)).statistic < 0.02


@quick
@given(st.sampled_from(NORMS), st.floats(0.01, 1), st.integers(0, 10**6))
def test_projection_is_the_nearest_point_of_the_ball_and_idempotent(
    norm, epsilon, seed
):
    geometry = GEOMETRIES[norm]
    delta, other = torch.randn((2, 5, 3, 2, 2), generator=_stream(seed)).double()
    near = geometry.project(delta, epsilon)
    within = geometry.project(other, epsilon)
    assert (_length(near, norm) <= epsilon * (1 + 1e-12)).all()
    assert torch.allclose(geometry.project(near, epsilon), near, atol=1e-14)
    l2 = partial(_length, norm="l2")  # the nearest in both norms' balls is Euclidean
    assert (l2(delta - near) <= l2(delta - within) + 1e-12).all()
    short = 0.1 * epsilon * delta / delta.flatten(1).norm(dim=1).amax()
    assert torch.equal(geometry.project(short, epsilon), short)


@pytest.mark.parametrize("norm", NORMS)
def test_projection_on_ball_and_range_is_idempotent(norm):
    threat = ThreatModel(norm, 0.4)
    x, _ = batch(8)
    once = into_ball(threat, x, x + torch.randn(x.shape, generator=_stream()))
    assert torch.allclose(into_ball(threat, x, once), once, atol=1e-14)


@pytest.mark.parametrize("norm", NORMS)
def test_ascent_has_length_one_and_gains_the_dual_norm_of_the_gradient(norm):
    gradient = torch.randn((5, 3, 2, 2), generator=_stream()).double()
    way = GEOMETRIES[norm].ascent(gradient)
    assert torch.allclose(_length(way, norm), torch.ones(5).double(), atol=1e-12)
    dual = gradient.flatten(1).norm(p=1 if norm == "linf" else 2, dim=1)
    assert torch.allclose((way * gradient).flatten(1).sum(1), dual, atol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_ascent_is_zero_where_the_gradient_is(norm):
    assert (GEOMETRIES[norm].ascent(torch.zeros(2, 1, 2, 2)) == 0).all()


def test_l2_ascent_has_length_one_also_for_a_tiny_gradient():
    gradient = torch.full((1, 1, 2, 2), 1e-15)
    assert GEOMETRIES["l2"].ascent(gradient).norm().item() == pytest.approx(1, rel=1e-5)


def test_linf_start_is_uniform_in_the_cube():
    delta = start(ThreatModel("linf", 0.25), SHAPE, _stream()).flatten(1)
    for column in delta.T:
        assert _is_uniform(column, -0.25, 0.25)
    assert np.corrcoef(delta.T.numpy()) == pytest.approx(np.eye(3), abs=0.03)


def test_l2_start_is_uniform_in_the_ball():
    """In 3 dimensions (r / epsilon)^3 is uniform, and so is each direction cosine."""
    delta = start(ThreatModel("l2", 0.5), SHAPE, _stream()).flatten(1)
    radius = delta.norm(dim=1)
    assert radius.max() <= 0.5
    assert _is_uniform((radius / 0.5) ** 3, 0, 1)
    for column in (delta / radius[:, None]).T:
        assert _is_uniform(column, -1, 1)


@pytest.mark.parametrize("norm", NORMS)
def test_start_is_a_function_of_its_generator(norm):
    threat, shape = ThreatModel(norm, 0.1), torch.Size((3, 1, 2, 2))
    one, again, other = (start(threat, shape, _stream(seed)) for seed in (5, 5, 6))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert one.shape == shape


def _on_the_sphere(threat, x, seed):
    """Return perturbations of the radius's length; corners of the cube for linf."""
    delta = torch.randn(x.shape, generator=_stream(seed), dtype=torch.float64)
    if threat.norm == "linf":
        delta = delta.sign()
    length = _length(delta, threat.norm).view(-1, 1, 1, 1)
    return (delta * threat.epsilon / length).to(x)


BALLS = (
    st.sampled_from(NORMS),
    st.floats(1 / 255, 1),
    st.sampled_from([(1, 8, 8), (3, 32, 32)]),
    st.sampled_from([torch.float32, torch.float64]),
    st.integers(0, 10**6),
)


@quick
@given(*BALLS)
def test_points_of_the_ball_are_inside_up_to_rounding(norm, epsilon, shape, kind, seed):
    threat, stream = ThreatModel(norm, epsilon), _stream(seed)
    x = torch.rand((3, *shape), generator=stream).to(kind)
    delta = _on_the_sphere(threat, x, seed)
    assert inside(threat, x, x + delta).all()
    assert inside(threat, x, (x + delta).clamp(0, 1)).all()
    assert inside(threat, x, into_ball(threat, x, x + 7 * delta)).all()
    assert inside(threat, x, x).all()


@quick
@given(*BALLS)
def test_points_a_hundredth_outside_and_no_numbers_are_not_inside(
    norm, epsilon, shape, kind, seed
):
    threat, stream = ThreatModel(norm, epsilon), _stream(seed)
    x = torch.rand((5, *shape), generator=stream).to(kind)
    delta = _on_the_sphere(threat, x, seed)
    assert not inside(threat, x, x + 1.01 * delta).any()
    mixed = x + torch.tensor([1.0, 1.01, 0, 0, 0]).view(-1, 1, 1, 1).to(x) * delta
    for row, value in enumerate((torch.nan, torch.inf, -torch.inf), 2):
        mixed[row, 0, 3, 5] = value
    assert inside(threat, x, mixed).tolist() == [True, False, False, False, False]


def test_one_pixel_outside_of_the_cube_is_outside():
    threat, x = ThreatModel("linf", 8 / 255), torch.full((2, 3, 32, 32), 0.5)
    x_adv = x + 8 / 255
    x_adv[1, 2, 31, 31] += 0.1 / 255
    assert inside(threat, x, x_adv).tolist() == [True, False]
    assert inside(ThreatModel("linf", 0.0), x, x).all()


def test_settings_know_the_starts_in_l2():
    assert tuple(L2_STARTS) == choices.L2_STARTS


def test_start_as_rices_code_draws_it_is_uniform_in_length_and_direction():
    """In three dimensions a coordinate of a uniform direction is uniform."""
    drawn = radius_start(ThreatModel("l2", 0.5), SHAPE, _stream()).flatten(1)
    length = drawn.norm(dim=1)
    assert _is_uniform(length, 0, 0.5)
    assert all(_is_uniform(drawn[:, i] / length, -1, 1) for i in range(3))
    assert (
        abs(torch.corrcoef(torch.stack([length, drawn[:, 0].abs() / length]))[0, 1])
        < 0.05
    )
