"""TRADES, MART, symmetric CE and fast AT against their formulas, example by example."""

import math

import pytest
import torch
from toy_problems import batch, linear_net

from rofit.attacks.geometry import into_ball
from rofit.attacks.pgd import PGD
from rofit.methods import METHODS, Context, find_kind, make_params
from rofit.seeding import generator
from rofit.settings.spec import RunSpec
from rofit.settings.threat import ThreatModel
from rofit.training.plan import EpochPlan

K, B = 5, 6
Y = torch.tensor([2, 0, 3, 1, 4, 0])
THREAT = ThreatModel("linf", 0.1)
ATTACK = PGD(THREAT, 5, 0.05)


def _method(name, **settings):
    kind = find_kind(RunSpec(method=name))
    params = make_params(kind, settings)
    return kind.build(params, Context(ATTACK, Y, K, linear_net(torch.zeros(1, 1))))


def _logits(seed):
    stream = torch.Generator().manual_seed(seed)
    drawn = 3 * torch.randn((B, K), generator=stream, dtype=torch.float64)
    return drawn.requires_grad_()


def _p(row):
    """Return the softmax of one example as a list of scalars that keep gradients."""
    powers = [value.exp() for value in row]
    return [power / sum(powers) for power in powers]


def _trades(adv, clean, y, beta):
    q, p = _p(adv), _p(clean)
    apart = sum(p[k] * (p[k].log() - q[k].log()) for k in range(K))
    return -p[y].log() + beta * apart


def _mart(adv, clean, y, beta):
    q, p = _p(adv), _p(clean)
    wrong = max((q[k] for k in range(K) if k != y), key=torch.Tensor.item)
    boosted = -q[y].log() - (1.0001 - wrong).log()
    apart = sum(p[k] * (p[k].log() - q[k].log()) for k in range(K))
    return boosted + beta * apart * (1.0000001 - p[y])


def _sce(adv, clean, y, weights):
    q = _p(adv)
    reverse = -sum(q[k] * math.log(1.0 if k == y else 1e-4) for k in range(K))
    return weights[0] * -q[y].log() + weights[1] * reverse


CASES = {
    "trades": ({"beta": 2.5}, _trades, 2.5),
    "mart": ({"beta": 2.5}, _mart, 2.5),
    "sce": ({"sce_forward": 0.3, "sce_reverse": 0.7}, _sce, (0.3, 0.7)),
}


@pytest.mark.parametrize("name", CASES)
def test_loss_and_its_gradients_are_the_formulas(name):
    settings, slow, weights = CASES[name]
    method, adv, clean = _method(name, **settings), _logits(0), _logits(1)
    soft = method.labels.current(torch.arange(B), Y).double()
    terms = method.terms(adv, clean, soft, Y)
    mine = sum(term.mean() for term in terms.values())
    expected = sum(slow(adv[i], clean[i], int(Y[i]), weights) for i in range(B)) / B
    assert mine.item() == pytest.approx(expected.item(), rel=1e-12)
    inputs = (adv, clean) if method.learns_clean else (adv,)
    mine = torch.autograd.grad(mine, inputs)
    for one, other in zip(mine, torch.autograd.grad(expected, inputs), strict=True):
        assert torch.allclose(one, other, atol=1e-12) and (other != 0).any()


@pytest.mark.parametrize("name", ["trades", "mart"])
def test_gradient_is_finite_where_a_prediction_is_certain(name):
    method = _method(name)
    adv = (1e4 * torch.eye(K)[Y]).requires_grad_()
    clean = (1e4 * torch.eye(K)[(Y + 1) % K]).requires_grad_()
    soft = method.labels.current(torch.arange(B), Y)
    total = sum(term.sum() for term in method.terms(adv, clean, soft, Y).values())
    for gradient in torch.autograd.grad(total, (adv, clean)):
        assert gradient.isfinite().all()


def test_trades_of_beta_0_is_standard_training():
    clean, soft = _logits(1), torch.eye(K, dtype=torch.float64)[Y]
    trades, plain = _method("trades", beta=0.0), _method("standard")
    terms = trades.terms(_logits(0), clean, soft, Y)
    assert (terms["divergence"] == 0).all()
    expected = plain.terms(clean, None, soft, Y)["cross_entropy"]
    assert torch.equal(terms["cross_entropy"], expected)


def test_hat_without_helpers_is_trades():
    """At one beta; extra logits, whatever they are, add nothing."""
    settings = {"teachers": {"clean": linear_net(torch.zeros(1, 1))}}
    context = Context(ATTACK, Y, K, linear_net(torch.zeros(1, 1)), **settings)
    hat = METHODS["hat"].build(METHODS["hat"].Params(2.5, hat_weight=0.0), context)
    adv, clean, soft = _logits(0), _logits(1), torch.eye(K, dtype=torch.float64)[Y]
    terms = hat.terms(adv, clean, soft.flip(1), Y, _logits(2))
    assert (terms.pop("helper") == 0).all()
    expected = _method("trades", beta=2.5).terms(adv, clean, soft, Y)
    assert terms.keys() == expected.keys()
    for name, term in terms.items():
        assert torch.allclose(term, expected[name], rtol=1e-14, atol=0)
    x, x_adv = torch.rand(2, 6, 1, 3, 3)
    further = hat.extra_inputs(x, x_adv, torch.arange(6))
    assert torch.allclose(further - x_adv, x_adv - x, atol=1e-6)  # twice the way


def test_symmetric_form_without_its_reverse_is_pgd_at():
    adv, soft = _logits(0), torch.eye(K, dtype=torch.float64)[Y]
    terms = _method("sce", sce_forward=1.0, sce_reverse=0.0).terms(adv, None, soft, Y)
    expected = _method("pgd_at").terms(adv, None, soft, Y)
    assert torch.equal(sum(terms.values()), expected["cross_entropy"])


def test_trades_attacks_the_clean_prediction_and_no_label():
    """Two classes, logits (0, <w, x>): away from x's own side, whatever the labels."""
    x, _ = batch(6, channels=1)
    stream = torch.Generator().manual_seed(0)
    w = torch.randn(x[0].shape, generator=stream, dtype=torch.float64)
    begin = 0.001 * torch.randn(x.shape, generator=stream, dtype=torch.float64)
    net, index = linear_net(w), torch.arange(6)
    examples = [
        METHODS["trades"]
        .build(METHODS["trades"].Params(), Context(ATTACK, y, 2, net))
        .maximise(net, x, y, index, begin)
        for y in (torch.zeros(6, dtype=torch.int64), torch.ones(6, dtype=torch.int64))
    ]
    assert torch.equal(*examples)
    moved = ((into_ball(THREAT, x, examples[0]) - x) * w).sum(dim=(1, 2, 3))
    away = ((into_ball(THREAT, x, x + begin) - x) * w).sum(dim=(1, 2, 3))
    assert (moved * away > 0).all() and (moved.abs() > away.abs()).all()


@pytest.mark.parametrize(("name", "near"), [("trades", True), ("pgd_at", False)])
def test_attack_begins_where_the_source_does(name, near):
    method, shape = _method(name), torch.Size((2, 3, 4, 4))
    plan = EpochPlan(7, 3, 10)
    begun = plan.start(2, THREAT, shape, method.inner.start)
    if near:
        drawn = torch.randn(shape, generator=generator(7, "attack", 3, 2))
        assert torch.equal(begun, 0.001 * drawn)
    else:
        assert torch.equal(begun, plan.start(2, THREAT, shape))
        assert begun.abs().max() > 0.05


def test_fast_training_makes_one_step_of_one_and_a_quarter_radii():
    attack = _method("fast_at").inner.attack
    assert (attack.name, attack.threat) == ("pgd1", THREAT)
    assert attack.step_size == pytest.approx(0.125)
