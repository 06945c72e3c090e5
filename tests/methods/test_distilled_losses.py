"""Losses of RSLAD, ARD, ReBAT and IKL: closed forms, and what they are next to."""

import math

import pytest
import torch
from toy_problems import conv_net

from rofit.attacks.geometry import gaussian_start
from rofit.attacks.pgd import PGD
from rofit.losses import divergence, soft_cross_entropy, soft_divergence
from rofit.methods import METHODS, Context
from rofit.methods.inner import assigned_labels, clean_prediction
from rofit.settings.threat import ThreatModel

K, B = 5, 6
Y = torch.tensor([2, 0, 3, 1, 4, 0])
INDEX = torch.arange(B)
ATTACK = PGD(ThreatModel("linf", 0.1), 5, 0.05)


def _method(name, **settings):
    teachers = {"robust": conv_net(n_classes=K, seed=1).eval()}
    module = METHODS[name]
    given = Context(ATTACK, Y, K, conv_net(n_classes=K), teachers)
    return module.build(module.Params(**settings), given)


def _logits(seed):
    stream = torch.Generator().manual_seed(seed)
    drawn = 3 * torch.randn((B, K), generator=stream, dtype=torch.float64)
    return drawn.requires_grad_()


def _soft(seed=9):
    return _logits(seed).detach().softmax(1)


def test_divergence_from_labels_is_that_from_their_logits_and_0_at_them():
    logits, origin = _logits(0), _logits(1)
    mine = soft_divergence(logits, origin.softmax(1))
    assert torch.allclose(mine, divergence(logits, origin), rtol=1e-12, atol=0)
    at_label = soft_divergence(logits, logits.softmax(1))
    assert torch.allclose(at_label, torch.zeros(B).double(), rtol=0, atol=1e-14)


def test_divergence_from_a_certain_label_is_the_cross_entropy():
    hard = torch.eye(K, dtype=torch.float64)[Y]
    mine, logits = soft_divergence(_logits(0), hard), _logits(0)
    assert torch.allclose(mine, soft_cross_entropy(logits, hard), rtol=1e-14, atol=0)


def test_rslad_climbs_on_the_teacher_from_nearby_and_the_cross_entropy_is_as_steep():
    inner = _method("rslad").inner
    assert (inner.loss, inner.labels) == (soft_cross_entropy, assigned_labels)
    assert inner.start is gaussian_start
    logits, soft = _logits(0), _soft()
    (mine,) = torch.autograd.grad(inner.loss(logits, soft).sum(), logits)
    apart = soft_divergence(logits, soft).sum()
    (expected,) = torch.autograd.grad(apart, logits)
    assert torch.allclose(mine, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_rslad_is_least_near_the_teacher_at_both_inputs(share):
    """1e-5 inside of the logarithm lifts it by less than K 1e-5 / 10."""
    method, soft = _method("rslad", rslad_share=share), _soft()
    logits = soft.log()
    at_teacher = sum(method.terms(logits, logits, soft, Y).values())
    assert (at_teacher > 0).all() and (at_teacher < K * 1e-5 / 10).all()
    adv, clean = _logits(0), _logits(1)
    terms = method.terms(adv, clean, soft, Y)
    expected = share * soft_divergence(adv, soft)
    expected = (expected + (1 - share) * soft_divergence(clean, soft)) / 10
    apart = sum(terms.values()) - expected
    assert (apart > 0).all() and (apart < K * 1e-5 / 10).all()


def test_ards_loss_at_a_uniform_teacher_in_closed_form():
    """KL(1/K || p) = -log K - mean_k log p_k, at the temperature, times T^2 / K."""
    method = _method("ard", ard_temperature=4.0)
    adv, clean = _logits(0), _logits(1)
    uniform = torch.full((B, K), 1 / K, dtype=torch.float64)
    terms = method.terms(adv, clean, uniform, Y)
    logs = (adv / 4).log_softmax(1)
    expected = 16 / K * (-math.log(K) - logs.mean(1))
    assert torch.allclose(terms["distillation"], expected, rtol=1e-12, atol=0)
    assert (terms["cross_entropy"] == 0).all()


def test_ard_without_its_teacher_is_standard_training():
    adv, clean, soft = _logits(0), _logits(1), _soft()
    terms = _method("ard", ard_share=0.0).terms(adv, clean, soft, Y)
    hard = torch.eye(K, dtype=torch.float64)[Y]
    assert (terms["distillation"] == 0).all()
    expected = _method("standard").terms(clean, None, hard, Y)["cross_entropy"]
    assert torch.allclose(terms["cross_entropy"], expected, rtol=1e-14, atol=0)


def test_rebat_before_its_average_begins_is_pgd_at():
    method, soft = _method("rebat", rebat_start=0.5), torch.eye(K).double()[Y]
    logits = _logits(0)
    plain = soft_cross_entropy(logits, soft)
    for epoch, beta in ((4, 0.0), (5, 1.0)):
        method.begin_epoch(epoch, 10)
        assert method.labels.active == method.average.active == (epoch == 5)
        terms = method.terms(logits, None, soft, Y)
        assert torch.allclose(terms["cross_entropy"], plain, rtol=1e-14, atol=0)
        expected = beta * soft_divergence(logits, soft)
        assert torch.equal(terms["divergence"], expected)
    assert method.labels.network is method.average.network


def test_ikls_variance_is_its_sum_over_pairs_and_has_its_gradients():
    method = _method("ikl", ikl_distance=2.0, ikl_entropy=0.0)
    method.begin_epoch(0, 2)
    method.labels.means = _soft()[:K]
    adv, clean, hard = _logits(0), _logits(1), torch.eye(K).double()[Y]
    mine = method.terms(adv, clean, hard, Y)["distance"]
    pairs = clean[:, :, None] - clean[:, None] - adv[:, :, None] + adv[:, None]
    weights = method.labels.means[Y]
    weights = weights[:, :, None] * weights[:, None]
    expected = 2.0 / 4 * (pairs.square() * weights).sum(dim=(1, 2))
    assert torch.allclose(mine, expected, rtol=1e-12, atol=0)
    mine, expected = (
        torch.autograd.grad(value.sum(), (adv, clean)) for value in (mine, expected)
    )
    for one, other in zip(mine, expected, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12) and (other != 0).any()


def test_ikls_distance_does_not_see_a_shift_of_all_logits():
    method = _method("ikl")
    method.begin_epoch(0, 2)
    adv, hard = _logits(0), torch.eye(K).double()[Y]
    distance = method.terms(adv, adv + 7.0, hard, Y)["distance"]
    assert torch.allclose(distance, torch.zeros(B).double(), rtol=0, atol=1e-12)


def test_ikls_cross_entropy_moves_the_adversarial_prediction_alone():
    method = _method("ikl", ikl_distance=0.0)
    method.begin_epoch(0, 2)
    adv, clean, hard = _logits(0), _logits(1), torch.eye(K).double()[Y]
    smooth = method.terms(adv, clean, hard, Y)["smoothness"].sum()
    mine, none = torch.autograd.grad(smooth, (adv, clean), allow_unused=True)
    expected = 4.0 * (adv.softmax(1) - clean.softmax(1))
    assert none is None and torch.allclose(mine, expected, rtol=0, atol=1e-13)
    inner = method.inner
    assert (inner.loss, inner.labels) == (divergence, clean_prediction)
    assert inner.start is gaussian_start
