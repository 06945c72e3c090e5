"""Information in an ensemble's weights: a slow twin, closed forms, one inequality."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_problems import quick

from rofit.measures.information import ensemble_information, mixed


def _entropy(p) -> float:
    return -sum(q * math.log(q) for q in p if q > 0)


def _twin(p, image: int) -> float:
    """Return H(mean_m p_m) - mean_m H(p_m) of one image, a sum after the other."""
    rows = [network[image].tolist() for network in p]
    whole = [sum(row[k] for row in rows) / len(rows) for k in range(len(rows[0]))]
    return _entropy(whole) - sum(map(_entropy, rows)) / len(rows)


def _random(shape, seed=0):
    """Return probabilities of logits that are sharp here and flat there."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=shape) * rng.choice([0.1, 3, 30], size=(*shape[:2], 1))
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


@st.composite
def ensembles(draw):
    """Probabilities (M, n, K), certain and vanishing ones among them."""
    shape = [draw(st.integers(1, most)) for most in (4, 3, 5)]
    weight = st.sampled_from([0.0, 1e-300, 1e-9, 1.0]) | st.floats(0.0, 1.0)
    rows = shape[0] * shape[1]
    row = st.lists(weight, min_size=shape[2], max_size=shape[2])
    drawn = draw(st.lists(row.filter(lambda w: sum(w) > 1e-3), min_size=rows))
    p = np.array(drawn[:rows]).reshape(shape)
    return p / p.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("shape", [(1, 2, 3), (2, 5, 10), (5, 3, 2), (3, 1, 100)])
def test_information_is_that_of_a_slow_twin(shape):
    p = _random(shape)
    information = ensemble_information(p)
    assert information.shape == (shape[1],) and information.dtype == np.float64
    assert information.tolist() == pytest.approx(
        [_twin(p, image) for image in range(shape[1])], abs=1e-12
    )


def test_networks_that_agree_tell_nothing_whatever_they_say():
    p = np.repeat(_random((1, 40, 10)), 5, axis=0)
    assert np.abs(ensemble_information(p)).max() < 1e-12


@pytest.mark.parametrize("networks", [1, 2, 5, 10])
def test_networks_certain_of_different_classes_tell_the_log_of_their_number(networks):
    p = np.eye(10)[:networks, None, :]  # one image, zeros among the probabilities
    assert ensemble_information(p).tolist() == pytest.approx([math.log(networks)])


def test_two_networks_of_four_against_two_tell_one_bit():
    p = np.eye(3)[[0, 0, 1, 1]][:, None, :]
    assert ensemble_information(p).tolist() == pytest.approx([math.log(2)])


def test_images_do_not_see_one_another():
    p = _random((3, 6, 4))
    one_by_one = [ensemble_information(p[:, [i]])[0] for i in range(6)]
    assert ensemble_information(p).tolist() == pytest.approx(one_by_one, abs=1e-15)


@given(p=ensembles())
@quick
def test_information_is_between_zero_and_the_log_of_networks_and_of_classes(p):
    information = ensemble_information(p)
    most = math.log(min(p.shape[0], p.shape[2]))
    assert (information > -1e-12).all() and (information < most + 1e-12).all()


def test_mixed_is_the_share_of_what_is_said_and_the_rest_uniform():
    p = np.array([[[1.0, 0.0, 0.0, 0.0]], [[0.1, 0.2, 0.3, 0.4]]])
    mixture = mixed(p, 0.6)
    assert mixture.ravel().tolist() == pytest.approx(
        [0.7, 0.1, 0.1, 0.1, 0.16, 0.22, 0.28, 0.34]
    )
    assert mixed(p, 1.0).tolist() == p.tolist()
    assert set(mixed(p, 0.0).ravel()) == {0.25}
    assert p[0, 0].tolist() == [1, 0, 0, 0], "what was given is left as it was"


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_mixing_two_certain_networks_has_a_closed_form(share):
    # log 2 - h((1 + share) / 2): a binary symmetric channel, asked evenly
    information = ensemble_information(mixed(np.eye(2)[:, None, :], share))
    wrong = (1 - share) / 2
    expected = math.log(2) - _entropy([wrong, 1 - wrong])
    assert information.tolist() == pytest.approx([expected], abs=1e-15)
    assert information[0] <= share * math.log(2) + 1e-15


@given(p=ensembles(), share=st.floats(0.0, 1.0))
@quick
def test_mixed_predictions_hold_at_most_their_share_of_the_information(p, share):
    bound = share * ensemble_information(p)
    assert (ensemble_information(mixed(p, share)) <= bound + 1e-12).all()


@given(p=ensembles(), shares=st.tuples(*[st.floats(0.0, 1.0)] * 2))
@quick
def test_more_mixing_never_adds_information(p, shares):
    less, more = (ensemble_information(mixed(p, share)) for share in sorted(shares))
    assert (less <= more + 1e-12).all()
