"""PGD against closed forms on linear models and a slow twin in float64."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_problems import batch, conv_net, linear_net, quick

from rofit.attacks.geometry import inside, start
from rofit.attacks.pgd import PGD
from rofit.losses import cross_entropy
from rofit.settings.threat import NORMS, ThreatModel


def _stream(seed=0):
    return torch.Generator().manual_seed(seed)


def _length(delta, norm):
    flat = delta.flatten(1)
    return flat.abs().amax(1) if norm == "linf" else flat.norm(dim=1)


def _attack(net, x, y, begin, **settings):
    return PGD(**settings)(net, x, cross_entropy, y, begin)


def test_linf_on_a_linear_model_ends_at_epsilon_times_the_sign_clipped():
    """log p_y falls along -w for y = 1 and along w for y = 0: the corner is optimal."""
    x, _ = batch(6, seed=3)
    weight = torch.randn(x[0].shape, generator=_stream(), dtype=torch.float64)
    y = torch.tensor([0, 1, 0, 1, 1, 0])
    threat = ThreatModel("linf", 0.1)
    begin = start(threat, x.shape, _stream(1)).double()
    x_adv = _attack(
        linear_net(weight), x, y, begin, threat=threat, steps=8, step_size=0.025
    )
    sign = (1 - 2 * y).view(-1, 1, 1, 1) * weight.sign()
    expected = (x + 0.1 * sign).clamp(0, 1)
    assert (expected != x + 0.1 * sign).any()  # the valid range cuts some
    assert torch.allclose(x_adv, expected, atol=1e-14)


def test_l2_on_a_linear_model_ends_at_epsilon_along_the_weights():
    """Each step of length 2 epsilon turns the rest by 1/3 at most: 3^-30 is nothing."""
    x = 0.3 + 0.4 * batch(4)[0]
    weight = torch.randn(x[0].shape, generator=_stream(), dtype=torch.float64)
    y = torch.tensor([0, 1, 1, 0])
    threat = ThreatModel("l2", 0.25)  # no pixel reaches the end of the valid range
    begin = start(threat, x.shape, _stream(1)).double()
    x_adv = _attack(
        linear_net(weight), x, y, begin, threat=threat, steps=30, step_size=0.5
    )
    expected = x + (1 - 2 * y).view(-1, 1, 1, 1) * 0.25 * weight / weight.norm()
    assert torch.allclose(x_adv, expected, atol=1e-12)


def _slow_pgd(net, x, y, begin, *, norm, epsilon, steps, step_size):
    """Return PGD's end for one image (C, H, W), in NumPy but for the gradient."""
    x, delta = x.numpy(), begin.numpy()

    def cut(delta):
        if norm == "linf":
            delta = np.minimum(np.maximum(delta, -epsilon), epsilon)
        elif np.sqrt((delta**2).sum()) > epsilon:
            delta = delta * epsilon / np.sqrt((delta**2).sum())
        return np.clip(x + delta, 0, 1) - x

    delta = cut(delta)
    for _ in range(steps):
        at = torch.from_numpy(x + delta)[None].requires_grad_()
        loss = -torch.log(torch.softmax(net(at), 1)[0, y])
        gradient = torch.autograd.grad(loss, at)[0][0].numpy()
        if norm == "linf":
            way = np.sign(gradient)
        else:
            way = gradient / np.sqrt((gradient**2).sum())
        delta = cut(delta + step_size * way)
    return x + delta


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.1), ("l2", 0.5)])
def test_pgd_equals_a_loop_over_images_in_float64(norm, epsilon):
    net, (x, y) = conv_net().eval(), batch(5)
    begin = 3 * start(ThreatModel(norm, epsilon), x.shape, _stream()).double()
    settings = dict(steps=7, step_size=epsilon / 3)
    threat = ThreatModel(norm, epsilon)
    x_adv = _attack(net, x, y, begin, threat=threat, **settings)
    for i in range(5):
        slow = _slow_pgd(
            net, x[i], y[i], begin[i], norm=norm, epsilon=epsilon, **settings
        )
        assert np.allclose(x_adv[i].numpy(), slow, atol=1e-12)
    assert (_length(x_adv - x, norm) > 0.5 * epsilon).all()
    before = cross_entropy(net(x), y)
    assert (cross_entropy(net(x_adv), y) > before).all()


@pytest.mark.parametrize("norm", NORMS)
def test_result_of_an_image_does_not_depend_on_its_batch(norm):
    net, (x, y) = conv_net(), batch(6)  # in train mode: the attack's is eval
    begin = start(ThreatModel(norm, 0.3), x.shape, _stream()).double()
    attack = partial(
        _attack, net, threat=ThreatModel(norm, 0.3), steps=4, step_size=0.1
    )
    whole = attack(x, y, begin)
    some = [4, 1]
    assert torch.allclose(
        attack(x[some], y[some], begin[some]), whole[some], atol=1e-12
    )


@quick
@given(
    st.sampled_from(NORMS),
    st.floats(0, 1),
    st.floats(0, 2),
    st.integers(0, 3),
    st.integers(0, 10**6),
)
def test_every_result_is_in_the_ball_and_in_the_valid_range(
    norm, epsilon, step_size, steps, seed
):
    """In float32; x + delta is rounded to 2^-24 a pixel, so 12 pixels leave 1e-6."""
    x = torch.rand((4, 3, 2, 2), generator=_stream(seed)).round(decimals=1)
    begin = 2 * torch.randn(x.shape, generator=_stream(seed + 1))
    weight = torch.randn(x[0].shape, generator=_stream(seed + 2))
    x_adv = _attack(
        linear_net(weight).float(),
        x,
        torch.tensor([0, 1, 1, 0]),
        begin,
        threat=ThreatModel(norm, epsilon),
        steps=steps,
        step_size=step_size,
    )
    assert (_length(x_adv - x, norm) <= epsilon + 1e-6).all()
    assert x_adv.min() >= 0 and x_adv.max() <= 1


@pytest.mark.parametrize("norm", NORMS)
def test_first_gradient_is_at_the_unclamped_start_only_where_it_is_said(norm):
    """Black and white pixels; whatever the start, the end is inside."""
    x, y = batch(6)
    x, threat = x.round(), ThreatModel(norm, 0.3)
    begin = 0.1 * torch.randn(x.shape, generator=_stream(2)).double()
    net, points = conv_net().eval(), []
    net.register_forward_pre_hook(lambda _, inputs: points.append(inputs[0].detach()))
    settings = dict(threat=threat, step_size=0.1, start_clamp=False)
    x_adv = _attack(net, x, y, begin, steps=2, **settings)
    assert torch.equal(points[0], x + begin) and len(points) == 2
    assert points[0].min() < 0 and points[0].max() > 1
    for end in (x_adv, points[1], _attack(net, x, y, begin, steps=0, **settings)):
        assert inside(threat, x, end).all() and end.min() >= 0 and end.max() <= 1
    point = ThreatModel(norm, 0.0)
    settings["threat"] = point
    assert torch.equal(_attack(net, x, y, begin, steps=2, **settings), x)
