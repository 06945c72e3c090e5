"""Losses against loops over examples and classes in float64, and closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_problems import quick

from rofit.losses import (
    cross_entropy,
    margin,
    nuclear_norm,
    reverse_cross_entropy,
    soft_cross_entropy,
)

LOSSES = {"soft": soft_cross_entropy, "reverse": reverse_cross_entropy}
FLOOR = 1e-4  # of a label in the reverse form, Wang et al. 2019


def _case(seed=0, n=5, k=4):
    """Return float64 logits (n, k), distributions (n, k), one of them one-hot."""
    rng = np.random.default_rng(seed)
    soft = rng.dirichlet(np.ones(k), n)
    soft[0] = np.eye(k)[1]
    return torch.from_numpy(rng.normal(0, 3, (n, k))), torch.from_numpy(soft)


def _softmax(row):
    raised = [math.exp(z - max(row)) for z in row]
    return [r / sum(raised) for r in raised]


def _slow_soft(row, soft):
    p = _softmax(row)
    return -sum(q * math.log(p[k]) for k, q in enumerate(soft))


def _slow_reverse(row, soft):
    p = _softmax(row)
    return -sum(p[k] * math.log(max(q, FLOOR)) for k, q in enumerate(soft))


@pytest.mark.parametrize(
    ("loss", "slow"),
    [(soft_cross_entropy, _slow_soft), (reverse_cross_entropy, _slow_reverse)],
)
def test_loss_of_each_example_equals_a_loop_over_classes(loss, slow):
    logits, soft = _case()
    pairs = zip(logits.tolist(), soft.tolist(), strict=True)
    expected = [slow(row, label) for row, label in pairs]
    assert loss(logits, soft).tolist() == pytest.approx(expected, rel=1e-12)


def test_cross_entropy_is_the_soft_one_with_one_hot_labels():
    logits, _ = _case()
    y = torch.tensor([3, 0, 2, 2, 1])
    hard = torch.eye(4, dtype=torch.float64)[y]
    assert torch.allclose(
        cross_entropy(logits, y), soft_cross_entropy(logits, hard), rtol=1e-12
    )


def test_reverse_with_a_one_hot_label_is_minus_log_floor_times_the_missing_mass():
    logits, _ = _case()
    hard = torch.eye(4, dtype=torch.float64)[[0, 1, 2, 3, 0]]
    p_y = (logits.softmax(1) * hard).sum(1)
    expected = -math.log(FLOOR) * (1 - p_y)
    assert torch.allclose(reverse_cross_entropy(logits, hard), expected, rtol=1e-12)


def test_gradient_of_soft_cross_entropy_is_prediction_minus_label():
    logits, soft = _case()
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(soft_cross_entropy(logits, soft).sum(), logits)
    assert torch.allclose(gradient, logits.softmax(1) - soft, atol=1e-14)


def test_gradient_of_reverse_cross_entropy_is_its_closed_form():
    """d/dz_j of -sum_k p_k l_k is -p_j (l_j - sum_k p_k l_k), l = log max(s, floor)."""
    logits, soft = _case()
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(reverse_cross_entropy(logits, soft).sum(), logits)
    p, log = logits.softmax(1), soft.clamp(min=FLOOR).log()
    expected = -p * (log - (p * log).sum(1, keepdim=True))
    assert torch.allclose(gradient, expected, atol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_each_example_has_its_own_value(name):
    logits, soft = _case(n=6)
    whole = LOSSES[name](logits, soft)
    assert whole.shape == (6,)
    alone = [LOSSES[name](logits[i : i + 1], soft[i : i + 1]).item() for i in range(6)]
    assert whole.tolist() == pytest.approx(alone, rel=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_huge_logits_give_finite_losses_and_gradients_in_float32(name):
    logits = torch.tensor([[1e4, -1e4, 0.0], [0.0, 0.0, -1e30]], requires_grad=True)
    soft = torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])
    value = LOSSES[name](logits, soft)
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    assert value.isfinite().all() and gradient.isfinite().all()


@quick
@given(st.integers(0, 10**6))
def test_cross_entropy_is_least_where_the_prediction_is_the_label(seed):
    """Gibbs: CE(q, p) >= CE(q, q) = H(q); 1e-12 is rounding."""
    logits, soft = _case(seed)
    entropy = -torch.xlogy(soft, soft).sum(1)
    assert (soft_cross_entropy(logits, soft) >= entropy - 1e-12).all()
    at_label = soft_cross_entropy(soft.clamp(min=1e-300).log(), soft)
    assert torch.allclose(at_label, entropy, atol=1e-12)


def test_floor_can_be_set_and_acts_below_itself_only():
    logits = torch.zeros(1, 2, dtype=torch.float64)
    soft = torch.tensor([[0.3, 0.7]], dtype=torch.float64)
    free = -0.5 * (math.log(0.3) + math.log(0.7))
    floored = -0.5 * (math.log(0.5) + math.log(0.7))
    assert reverse_cross_entropy(logits, soft).item() == pytest.approx(free, rel=1e-12)
    assert reverse_cross_entropy(logits, soft, floor=0.5).item() == pytest.approx(
        floored, rel=1e-12
    )


def _slow_margin(row, y):
    return max(z for k, z in enumerate(row) if k != y) - row[y]


@quick
@given(st.integers(0, 10**6), st.integers(2, 6))
def test_margin_is_the_best_wrong_logit_less_the_right_one(seed, k):
    """And its sign says whether the prediction is wrong."""
    logits, _ = _case(seed, n=7, k=k)
    y = torch.arange(7) % k
    pairs = zip(logits.tolist(), y.tolist(), strict=True)
    assert margin(logits, y).tolist() == [_slow_margin(row, c) for row, c in pairs]
    assert torch.equal(margin(logits, y) > 0, logits.argmax(1) != y)


def test_margin_in_closed_form():
    logits = torch.tensor([[1.0, 4.0, 2.0], [-3.0, -1.0, -2.0], [0.0, 0.0, 0.0]])
    assert margin(logits, torch.tensor([0, 1, 2])).tolist() == [3, -1, 0]
    two = torch.tensor([[2.0**99, -(2.0**99)], [-torch.inf, 5.0]])
    assert margin(two, torch.tensor([0, 1])).tolist() == [-(2.0**100), -torch.inf]


def test_gradient_of_margin_is_one_at_the_best_wrong_class_and_minus_one_at_y():
    logits, _ = _case(n=6, k=5)
    logits.requires_grad_()
    y = torch.tensor([0, 1, 2, 3, 4, 0])
    (gradient,) = torch.autograd.grad(margin(logits, y).sum(), logits)
    expected = torch.zeros_like(logits)
    for i, row in enumerate(logits.tolist()):
        best = max((z, k) for k, z in enumerate(row) if k != y[i])[1]
        expected[i, best], expected[i, y[i]] = 1, -1
    assert torch.equal(gradient, expected)


def test_margin_ignores_a_shift_of_all_logits_where_cross_entropy_saturates():
    """A gradient of length sqrt 2 is left where softmax has none in float32."""
    logits = torch.tensor([[200.0, 0.0, -5.0]], requires_grad=True)
    y = torch.tensor([0])
    (flat,) = torch.autograd.grad(cross_entropy(logits, y).sum(), logits)
    (steep,) = torch.autograd.grad(margin(logits, y).sum(), logits)
    assert (flat == 0).all() and steep.tolist() == [[-1, 1, 0]]
    assert margin(logits + 7, y).item() == margin(logits, y).item() == -200


@pytest.mark.parametrize("shape", [(6, 10), (10, 10), (128, 10), (30, 100)])
def test_nuclear_norm_and_its_gradient_are_lapacks(shape):
    """Singular values from 1 to 1e-4; the norm's gradient is U V'."""
    stream = torch.Generator().manual_seed(0)
    draws = torch.randn(shape, generator=stream, dtype=torch.float64)
    u, s, vh = torch.linalg.svd(draws, full_matrices=False)
    s = torch.logspace(0, -4, len(s), dtype=torch.float64)
    matrix = (u @ torch.diag(s) @ vh).requires_grad_()
    parts = nuclear_norm(matrix)
    assert parts.shape == shape[:1]
    assert parts.sum().item() == pytest.approx(s.sum().item(), rel=1e-12)
    (gradient,) = torch.autograd.grad(parts.sum(), matrix)
    assert torch.allclose(gradient, u @ vh, rtol=0, atol=1e-11)


def test_nuclear_norm_of_nothing_and_of_one_direction_is_finite():
    """Zero without a gradient; of rank one its length, along itself."""
    matrix = torch.zeros(4, 3, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(nuclear_norm(matrix).sum(), matrix)
    assert (gradient == 0).all()
    column = torch.tensor([[3.0], [0.0], [-4.0]], dtype=torch.float64)
    one = (column @ torch.tensor([[0.6, 0.8]], dtype=torch.float64)).requires_grad_()
    norm = nuclear_norm(one).sum()
    assert norm.item() == pytest.approx(5, rel=1e-13)
    (gradient,) = torch.autograd.grad(norm, one)
    assert torch.allclose(gradient, one / 5, rtol=0, atol=1e-13)
