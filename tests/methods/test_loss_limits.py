"""MLCAT's scaled losses and MART's boosted one at the ends of their range."""

import math

import pytest
import torch
from toy_problems import linear_net

from rofit.attacks.pgd import PGD
from rofit.methods import METHODS, Context
from rofit.settings.threat import ThreatModel

K = 10
ATTACK = PGD(ThreatModel("linf", 0.1), 5, 0.05)


def _method(name, **settings):
    module = METHODS[name]
    given = Context(ATTACK, torch.arange(K), K, linear_net(torch.zeros(1, 1)))
    return module.build(module.Params(**settings), given)


def _one_hot(y):
    return torch.eye(K, dtype=torch.float64)[y]


def _mlcat_gradient(loss, *, detach):
    """Return the logits' gradients of an example of this loss: MLCAT's, and CE's."""
    method = _method("mlcat_ls", mlcat_floor=1.5, mlcat_detach=detach)
    wrong = math.log(math.expm1(loss) / (K - 1))  # the logit of each other class
    logits = torch.full((1, K), wrong, dtype=torch.float64)
    logits[0, 4] = 0.0
    logits.requires_grad_()
    plain = -logits.log_softmax(1)[0, 4]
    assert plain.item() == pytest.approx(loss, rel=1e-5)
    terms = method.terms(logits, None, _one_hot([4]), torch.tensor([4]))
    (mine,) = torch.autograd.grad(sum(terms.values()).sum(), logits)
    return mine, torch.autograd.grad(plain, logits)[0]


@pytest.mark.parametrize("loss", [1.4, 0.3, 1e-3, 1e-5])
def test_small_losses_have_no_gradient_where_the_factor_is_not_detached(loss):
    gradient, _ = _mlcat_gradient(loss, detach=False)
    assert gradient.abs().max() < 1e-12  # 1.5 (dl / l - l dl / l^2) of float64


@pytest.mark.parametrize("loss", [9e-7, 1.2e-7])
def test_smallest_losses_have_none_either(loss):
    gradient, _ = _mlcat_gradient(loss, detach=False)
    assert gradient.abs().max() < 1e-6


@pytest.mark.parametrize("loss", [1.4, 0.3, 1e-3, 1e-5])
def test_small_losses_are_scaled_to_the_floor_where_it_is_detached(loss):
    gradient, plain = _mlcat_gradient(loss, detach=True)
    assert torch.allclose(gradient, 1.5 / loss * plain, rtol=1e-6, atol=0)


@pytest.mark.parametrize("detach", [True, False])
def test_loss_above_the_floor_is_left_alone(detach):
    for loss in (1.51, 2.3, 8.0):
        gradient, plain = _mlcat_gradient(loss, detach=detach)
        assert torch.allclose(gradient, plain, rtol=1e-12, atol=0)


@pytest.mark.parametrize("detach", [True, False])
def test_loss_of_nothing_has_a_finite_gradient(detach):
    """A logit so high that float64 has no other probability: no factor of 1 / 0."""
    method = _method("mlcat_ls", mlcat_detach=detach)
    logits = (1e3 * _one_hot([4])).requires_grad_()
    terms = method.terms(logits, None, _one_hot([4]), torch.tensor([4]))
    (gradient,) = torch.autograd.grad(sum(terms.values()).sum(), logits)
    assert (gradient == 0).all()


def test_mart_of_beta_0_descends_on_its_boosted_cross_entropy_alone():
    """The clean predictions change nothing, however wrong they are."""
    method = _method("mart", beta=0.0)
    stream = torch.Generator().manual_seed(0)
    draw = (3 * torch.randn((2, 6, 10), generator=stream)).double()
    adv, clean = (logits.clone().requires_grad_() for logits in draw)
    y = torch.tensor([3, 1, 9, 9, 0, 2])
    soft = _one_hot(y)
    terms = method.terms(adv, clean, soft, y)
    assert (terms.pop("divergence") == 0).all()
    p = adv.softmax(1)
    wrong = torch.stack(
        [torch.cat([r[:k], r[k + 1 :]]).max() for r, k in zip(p, y, strict=True)]
    )
    expected = -p[range(6), y].log() - (1.0001 - wrong).log()
    assert torch.allclose(sum(terms.values()), expected, rtol=1e-13, atol=0)
    total = sum(term.sum() for term in method.terms(adv, clean, soft, y).values())
    mine, away = torch.autograd.grad(total, (adv, clean), retain_graph=True)
    (by_hand,) = torch.autograd.grad(expected.sum(), adv)
    assert (away == 0).all() and torch.allclose(mine, by_hand, rtol=0, atol=1e-13)
