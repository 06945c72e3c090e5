"""Label rules against the closed forms of docs/method.md, "SGLR, our reading"."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_problems import quick

from rofit.labels.fixed import Smoothed
from rofit.labels.self_guided import SelfGuided
from rofit.losses import soft_cross_entropy
from rofit.training import checkpoint

K = 4
Y = torch.tensor([2, 0, 3, 1, 2, 0])
HARD = torch.eye(K, dtype=torch.float64)[Y]
ALL = torch.arange(len(Y))
share = st.floats(0, 1)


def _rule(*, r=1.0, momentum=0.9, clean_share=0.2, active=True):
    """Return the rule over Y with its table in float64."""
    rule = SelfGuided(Y, K, r=r, momentum=momentum, clean_share=clean_share, start=0.0)
    rule.average = rule.average.double()
    if active:
        rule.begin_epoch(0, 10)
    return rule


def _logits(seed):
    stream = torch.Generator().manual_seed(seed)
    return 2 * torch.randn((len(Y), K), generator=stream, dtype=torch.float64)


@quick
@given(st.integers(2, 9), share)
def test_smoothed_rows_are_distributions_with_rho_spread_over_all(k, rho):
    y = torch.arange(k)
    soft = Smoothed(k, rho).current(y, y).double()
    assert torch.allclose(soft.sum(1), torch.ones(k).double(), atol=1e-6)
    expected = (1 - rho) * torch.eye(k).double() + rho / k
    assert torch.allclose(soft, expected, atol=1e-6)  # float32


def test_no_smoothing_is_one_hot_exactly():
    rule = Smoothed(K)
    assert torch.equal(rule.current(ALL, Y), HARD.float())
    assert torch.equal(rule.refine(ALL, Y, _logits(0), None), HARD.float())
    assert not rule.reads_clean and rule.state_dict() == {}


@pytest.mark.parametrize("updates", [1, 11, 61])
def test_unrolled_average_is_the_closed_form(updates):
    """s = 0.9^m y + 0.1 sum_k 0.9^(m-k) q_k with q = 0.2 clean + 0.8 adversarial."""
    rule, expected = _rule(), 0.9**updates * HARD
    for k in range(1, updates + 1):
        adv, clean = _logits(k), _logits(1000 + k)
        soft = rule.refine(ALL, Y, adv, clean)
        q = 0.2 * clean.softmax(1) + 0.8 * adv.softmax(1)
        expected = expected + 0.1 * 0.9 ** (updates - k) * q
    assert torch.allclose(soft, expected, atol=1e-13)


@pytest.mark.parametrize(("updates", "left"), [(11, 0.314), (61, 0.0016)])
def test_weight_left_on_the_given_label_is_the_power_of_the_momentum(updates, left):
    """Predictions without mass on the label: what is there is what was left."""
    rule = _rule()
    never = -1e4 * HARD
    for _ in range(updates):
        soft = rule.refine(ALL, Y, never, never)
    kept = soft[ALL, Y]
    assert kept.tolist() == pytest.approx([0.9**updates] * len(Y), rel=1e-12)
    assert kept[0].item() == pytest.approx(left, rel=0.02)


@quick
@given(share, share, share, st.integers(1, 6))
def test_averaging_then_mixing_equals_mixing_then_averaging(r, momentum, c, updates):
    """The twin keeps the average of r f + (1 - r) y, an image and a class at a time."""
    rule = _rule(r=r, momentum=momentum, clean_share=c)
    slow = HARD.numpy().copy()
    for step in range(updates):
        adv, clean = _logits(step), _logits(100 + step)
        soft = rule.refine(ALL, Y, adv, clean)
        f = c * clean.softmax(1).numpy() + (1 - c) * adv.softmax(1).numpy()
        for i, k in np.ndindex(slow.shape):
            refined = r * f[i, k] + (1 - r) * (Y[i] == k)
            slow[i, k] = momentum * slow[i, k] + (1 - momentum) * refined
    assert np.allclose(soft.numpy(), slow, atol=1e-13)
    assert torch.allclose(soft.sum(1), torch.ones(len(Y)).double(), atol=1e-12)


@pytest.mark.parametrize("r", [0.0, 0.3, 0.8, 1.0])
def test_without_history_the_logit_gradient_is_only_scaled(r):
    """(1 - r) (p - y): no per-example direction changes without memory."""
    rule, logits = _rule(r=r, momentum=0.0, clean_share=0.0), _logits(0)
    logits.requires_grad_()
    soft = rule.refine(ALL, Y, logits, None)
    (gradient,) = torch.autograd.grad(soft_cross_entropy(logits, soft).sum(), logits)
    expected = (1 - r) * (logits.softmax(1) - HARD)
    assert torch.allclose(gradient, expected, atol=1e-14)


def test_residual_is_damped_and_drawn_to_the_clean_prediction():
    """p_adv - s_new = 0.9 (p_adv - s_old) + 0.02 (p_adv - p_cln), the gradient."""
    rule = _rule()
    rule.refine(ALL, Y, _logits(1), _logits(2))
    old = rule.current(ALL, Y)
    adv, clean = _logits(3).requires_grad_(), _logits(4)
    new = rule.refine(ALL, Y, adv, clean)
    p_adv, p_cln = adv.detach().softmax(1), clean.softmax(1)
    expected = 0.9 * (p_adv - old) + 0.02 * (p_adv - p_cln)
    assert torch.allclose(p_adv - new, expected, atol=1e-14)
    (gradient,) = torch.autograd.grad(soft_cross_entropy(adv, new).sum(), adv)
    assert torch.allclose(gradient, expected, atol=1e-14)


def test_before_the_start_labels_are_one_hot_and_the_table_rests():
    rule = SelfGuided(Y, K, r=0.8, momentum=0.9, clean_share=0.2, start=0.445)
    for epoch in range(200):
        rule.begin_epoch(epoch, 200)
        clean, adv = _logits(epoch).float(), _logits(epoch + 1).float()
        soft = rule.refine(ALL, Y, adv, clean)
        begun = epoch >= 89
        assert rule.reads_clean == begun
        assert torch.equal(soft, HARD.float()) == (not begun), epoch
        if begun:
            break
        assert torch.equal(rule.average, HARD.float())


@pytest.mark.parametrize(("start", "first"), [(0.0, 0), (0.5, 10), (1.0, 20)])
def test_start_is_a_fraction_of_the_run(start, first):
    rule = SelfGuided(Y, K, r=1, momentum=0.9, clean_share=0.2, start=start)
    active = []
    for epoch in range(20):
        rule.begin_epoch(epoch, 20)
        active.append(rule.active)
    assert active == [epoch >= first for epoch in range(20)]


def test_clean_predictions_are_read_only_where_they_count():
    assert _rule(clean_share=0.2).reads_clean
    assert not _rule(clean_share=0.0).reads_clean
    only = _rule(clean_share=1.0, momentum=0.0)
    clean = _logits(1)
    assert torch.allclose(only.refine(ALL, Y, _logits(0), clean), clean.softmax(1))


def test_missing_clean_predictions_never_shrink_the_labels():
    with pytest.raises(AssertionError):
        _rule(clean_share=0.2).refine(ALL, Y, _logits(0), None)


def test_only_the_images_of_the_batch_move_each_by_its_own_prediction():
    rule, whole = _rule(), _rule()
    index, adv, clean = torch.tensor([4, 1]), _logits(0), _logits(1)
    soft = rule.refine(index, Y[index], adv[index], clean[index])
    expected = whole.refine(ALL, Y, adv, clean)
    assert torch.equal(soft, expected[index])
    assert torch.equal(rule.current(index, Y[index]), soft)
    rest = [0, 2, 3, 5]
    assert torch.equal(rule.average[rest], HARD[rest])


def test_table_and_labels_carry_no_graph():
    rule = _rule()
    adv, clean = _logits(0).requires_grad_(), _logits(1).requires_grad_()
    assert not rule.refine(ALL, Y, adv, clean).requires_grad
    assert not rule.average.requires_grad


def test_table_survives_a_checkpoint_and_is_not_shared_with_it(tmp_path):
    rule, other = _rule(), _rule()
    rule.refine(ALL, Y, _logits(0), _logits(1))
    checkpoint.save(rule.state_dict(), tmp_path / "labels.pt")
    state = checkpoint.load(tmp_path / "labels.pt", torch.device("cpu"))
    other.load_state_dict(state)
    assert torch.equal(other.average, rule.average)
    steps = [r.refine(ALL, Y, _logits(2), _logits(3)) for r in (rule, other)]
    assert torch.equal(*steps)
    assert not torch.equal(state["average"], other.average)
