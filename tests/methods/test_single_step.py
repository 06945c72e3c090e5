"""Methods of one step: where it begins, how far it leads, and which norms they know."""

import pytest
import torch
from toy_problems import batch, conv_net, linear_net

from rofit.attacks.pgd import PGD
from rofit.errors import UserError
from rofit.methods import METHODS, Context
from rofit.settings.threat import ThreatModel

EPSILON = 0.1
THREAT = ThreatModel("linf", EPSILON)
Y = torch.tensor([0, 1, 1, 0, 1, 0])
LINF_ONLY = ("n_fgsm", "nuat", "fgsm_pgi")


def _built(name, threat=THREAT, net=None, **settings):
    module = METHODS[name]
    net = net or linear_net(torch.ones(1, 4, 4, dtype=torch.float64))
    context = Context(PGD(threat, 5, 0.05), Y, 2, net)
    return module.build(module.Params(**settings), context)


@pytest.mark.parametrize("name", LINF_ONLY)
def test_norm_that_the_source_does_not_know_is_refused(name):
    with pytest.raises(UserError, match=f"{name} is defined for norm=linf only, got "):
        _built(name, ThreatModel("l2", 0.5))


def test_noise_of_n_fgsm_is_uniform_in_twice_the_radius():
    """Of 30,000 draws, mean and variance are within four deviations of theirs."""
    method = _built("n_fgsm")
    stream = torch.Generator().manual_seed(0)
    noise = method.inner.start(THREAT, torch.Size((100, 3, 10, 10)), stream)
    assert 1.999 * EPSILON < noise.abs().max() <= 2 * EPSILON
    assert abs(noise.mean()) < 4 * 2 * EPSILON / (3 * 30_000) ** 0.5
    assert noise.var().item() == pytest.approx((2 * EPSILON) ** 2 / 3, rel=0.03)


def test_step_of_n_fgsm_leaves_the_ball_and_stays_among_images():
    """Two classes, logits (0, <w, x>): away from y's side by noise and step."""
    x, _ = batch(6, channels=1)
    stream = torch.Generator().manual_seed(0)
    w = torch.randn(x[0].shape, generator=stream, dtype=torch.float64)
    net = linear_net(w)
    method = _built("n_fgsm", net=net)
    noise = method.inner.start(THREAT, x.shape, stream).double()
    x_adv = method.maximise(net, x, Y, torch.arange(6), noise)
    away = (1 - 2 * Y).view(-1, 1, 1, 1) * w.sign()
    expected = ((x + noise).clamp(0, 1) + EPSILON * away).clamp(0, 1)
    assert torch.allclose(x_adv, expected, rtol=0, atol=1e-12)
    assert 2 * EPSILON < (x_adv - x).abs().max() <= 3 * EPSILON


def test_noise_of_nuat_is_half_the_radius_or_its_negative():
    """Of 30,000 signs, the share of either is within four deviations of a half."""
    stream = torch.Generator().manual_seed(0)
    noise = _built("nuat").inner.start(THREAT, torch.Size((100, 3, 10, 10)), stream)
    assert torch.allclose(noise.abs(), torch.tensor(EPSILON / 2))
    assert abs((noise > 0).float().mean() - 0.5) < 4 * 0.5 / 30_000**0.5


@pytest.mark.parametrize(
    ("epochs", "full", "weights"),
    [(4, 0.5, [0.0, 2.25, 4.5, 4.5]), (2, 0.0, [4.5, 4.5]), (1, 0.9, [0.0])],
)
def test_weight_of_nuats_norm_grows_until_it_is_whole(epochs, full, weights):
    method = _built("nuat", nuat_full=full)
    for epoch, weight in enumerate(weights):
        method.begin_epoch(epoch, epochs)
        for step, climbed in ((0, 0.0), (1, weight), (2, 0.0), (1, weight)):
            method.begin_step(0.0, step)
            assert method.inner.weight.item() == weight
            assert method.inner.climbed_weight.item() == climbed


@pytest.mark.parametrize(
    ("epochs", "reset", "fresh"),
    [(110, 40 / 110, [0, 40, 80]), (110, 0.3637, [0, 40, 80]), (3, 0.0, [0, 1, 2])],
)
def test_priors_of_fgsm_pgi_begin_anew_at_the_sources_epochs(epochs, reset, fresh):
    inner = _built("fgsm_pgi", pgi_reset=reset).inner
    anew = []
    for epoch in range(epochs):
        inner.begin_epoch(epoch, epochs)
        anew += [epoch] if inner.fresh else []
    assert anew == fresh


def test_labels_of_fgsm_pgi_share_what_the_given_class_has_not():
    context = Context(PGD(THREAT, 5, 0.05), Y, 10, conv_net())
    labels = METHODS["fgsm_pgi"].build(METHODS["fgsm_pgi"].Params(), context).labels
    expected = torch.full((6, 10), 0.4 / 9)
    expected[range(6), Y] = 0.6
    assert torch.allclose(labels.current(torch.arange(6), Y), expected, atol=1e-7)
