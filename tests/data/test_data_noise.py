"""Label noise: counts and rates of both conventions, and what `flipped` means."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rofit.data.noise import CONVENTIONS, NoisyLabels, symmetric_noise
from rofit.errors import UserError


def _noisy(labels: np.ndarray, rate: float, convention: str, seed: int) -> NoisyLabels:
    return symmetric_noise(
        labels,
        rate=rate,
        n_classes=10,
        convention=convention,
        rng=np.random.default_rng(seed),
    )


@given(
    n=st.integers(0, 200),
    percent=st.integers(0, 100),
    convention=st.sampled_from(sorted(CONVENTIONS)),
    seed=st.integers(0, 9),
)
@example(n=100, percent=29, convention="uniform", seed=0)  # 0.29 * 100 is 28.99...
@settings(deadline=None, database=None, max_examples=60)
def test_floor_of_rate_times_n_labels_are_drawn_anew(n, percent, convention, seed):
    labels = np.arange(n, dtype=np.int64) % 10
    got = _noisy(labels, percent / 100, convention, seed)
    assert len(got.flipped) == percent * n // 100
    assert got.flipped.tolist() == sorted(set(got.flipped.tolist()))
    untouched = np.setdiff1d(np.arange(n), got.flipped)
    np.testing.assert_array_equal(got.given[untouched], labels[untouched])
    np.testing.assert_array_equal(got.true, np.arange(n) % 10)
    assert got.given.dtype == np.int64 and ((got.given >= 0) & (got.given < 10)).all()
    if convention == "other":
        assert (got.given != got.true)[got.flipped].all()


def test_uniform_noise_of_40_percent_is_an_error_rate_of_36():
    labels = np.arange(100_000, dtype=np.int64) % 10
    got = _noisy(labels, 0.4, "uniform", 0)
    errors = int((got.given != got.true).sum())
    # 40,000 draws, each wrong with probability 0.9: five standard deviations of 60.
    assert abs(errors - 36_000) < 300
    counts = np.bincount(got.given[got.flipped], minlength=10)
    assert (abs(counts - 4_000) < 300).all()


def test_other_noise_spreads_evenly_over_the_wrong_classes():
    labels = np.full(90_000, 3, dtype=np.int64)
    got = _noisy(labels, 1.0, "other", 0)
    counts = np.bincount(got.given, minlength=10)
    assert counts[3] == 0
    # 90,000 draws over 9 classes: standard deviation 94; five of them.
    assert (abs(np.delete(counts, 3) - 10_000) < 470).all()


def test_both_conventions_corrupt_the_same_positions():
    labels = np.zeros(500, dtype=np.int64)
    uniform, other = (_noisy(labels, 0.3, name, 7) for name in ("uniform", "other"))
    np.testing.assert_array_equal(uniform.flipped, other.flipped)
    # The corrupted portion keeps positions whose new label equals the true one.
    assert (uniform.given == uniform.true)[uniform.flipped].any()


def test_the_labels_passed_in_are_left_alone():
    labels = np.zeros(50, dtype=np.int64)
    got = _noisy(labels, 1.0, "other", 0)
    assert not labels.any() and not np.shares_memory(got.true, labels)


@pytest.mark.parametrize("rate", [-0.1, 1.01, 40.0, float("nan")])
def test_rate_outside_the_unit_interval_is_refused(rate):
    with pytest.raises(UserError, match=r"noise rate must be in \[0, 1\], got"):
        _noisy(np.zeros(5, np.int64), rate, "uniform", 0)


def test_unknown_convention_lists_those_that_exist():
    with pytest.raises(UserError, match=r"unknown noise convention 'unifrom'.*uniform"):
        _noisy(np.zeros(5, np.int64), 0.2, "unifrom", 0)


def test_other_noise_needs_another_class():
    with pytest.raises(UserError, match="at least 2 classes to choose from, got 1"):
        symmetric_noise(
            np.zeros(5, np.int64),
            rate=0.5,
            n_classes=1,
            convention="other",
            rng=np.random.default_rng(0),
        )
