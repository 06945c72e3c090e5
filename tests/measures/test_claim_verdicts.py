"""Verdicts are those of Student's t: by scipy, and by simulation where nothing is."""

import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rofit.measures.claim_text import how_judged
from rofit.measures.claims import LEVEL, Claim, at_least, holm, in_every
from rofit.measures.information import ensemble_information, over_networks

UNDECIDED = "not decidable at this scale"
DRAWS = 10_000


def _most(draws) -> float:
    """Return the share that a verdict wrong in 5 % of cases exceeds once in 1,000."""
    return stats.binom.ppf(0.999, draws, 1 - LEVEL) / draws


def _claim(values, threshold=0.0, full_size=False, error=0.0) -> Claim:
    return at_least(
        threshold,
        values,
        sentence="it falls",
        unit="points",
        source="ours",
        full_size=full_size,
        error=error,
    )


@pytest.mark.parametrize("border", [0.0, 2.0])
@pytest.mark.parametrize("n", [3, 4, 10])
def test_interval_and_p_are_those_of_scipy(n, border):
    values = np.random.default_rng(n).normal(2, 1, n)
    claim = _claim(list(values), threshold=border, full_size=True)
    expected = stats.ttest_1samp(values, border)
    interval = expected.confidence_interval(LEVEL)
    assert claim.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert (claim.low, claim.high) == pytest.approx((interval.low, interval.high))


def test_images_that_runs_share_widen_the_interval_in_squares():
    values, error = [1.0, 2.0, 4.0], 0.5
    alone, wider = _claim(values), _claim(values, error=error)
    reach = stats.t.ppf((1 + LEVEL) / 2, 2) * math.hypot(stats.sem(values), error)
    assert wider.high - wider.measured == pytest.approx(reach)
    assert wider.high - wider.low > alone.high - alone.low


@pytest.mark.parametrize(("n", "draws"), [(3, DRAWS), (5, DRAWS // 10)])
def test_where_nothing_is_a_verdict_comes_in_at_most_5_percent(n, draws):
    samples = np.random.default_rng(n).normal(size=(draws, n))
    verdicts = [_claim(list(values)).verdict for values in samples]
    assert verdicts.count("holds") and verdicts.count("fails")
    assert 1 - verdicts.count(UNDECIDED) / draws < _most(draws)


def test_two_standard_errors_of_three_runs_would_err_in_18_percent():
    draws = np.random.default_rng(0).normal(size=(DRAWS, 3))
    errors = draws.std(axis=1, ddof=1) / math.sqrt(3)
    assert 0.17 < (abs(draws.mean(axis=1)) > 2 * errors).mean() < 0.2


def test_after_holm_any_of_seven_verdicts_is_wrong_in_at_most_5_percent():
    analyses, families = 500, 0
    draws = np.random.default_rng(1).normal(size=(analyses, 7, 3))
    for analysis in draws:
        claims = holm([_claim(list(values)) for values in analysis])
        families += any(claim.p_holm <= 1 - LEVEL for claim in claims)
    assert families / analyses < _most(analyses)


def test_holm_multiplies_sorted_p_values_and_never_falls():
    values = [[1.0, 1.1, 1.2], [1.0, 3.0, 5.0], [2.0, 2.1, 2.3], [-1.0, 0.0, 2.0]]
    claims = holm([*map(_claim, values), _claim([1.0])])
    p = np.array([claim.p for claim in claims[:4]])
    ascending, expected = np.argsort(p), np.empty(4)
    for rank, i in enumerate(ascending):
        largest = max((4 - k) * p[ascending[k]] for k in range(rank + 1))
        expected[i] = min(largest, 1)
    assert [claim.p_holm for claim in claims[:4]] == pytest.approx(list(expected))
    assert math.isnan(claims[4].p_holm)  # not tested, not counted


def test_how_judged_counts_verdicts_that_holm_leaves():
    strong, weak = [10.0, 10.01, 9.99], [1.0, 1.5, 2.0]
    claims = holm([_claim(strong), _claim(weak), _claim(weak), _claim(weak)])
    assert [claim.verdict for claim in claims] == ["holds"] * 4
    sentence = how_judged(claims)
    assert "the 4 claims tested here, which 1 of 4 verdicts survive" in sentence
    assert "at 95 % for one claim" in sentence and "paired by seed" in sentence


@pytest.mark.parametrize("full_size", [True, False])
def test_one_or_two_runs_decide_nothing_at_any_size(full_size):
    for values in ([99.0], [99.0, 99.1], [-99.0, -99.1]):
        claim = _claim(values, threshold=6.0, full_size=full_size)
        assert claim.verdict == UNDECIDED and math.isnan(claim.p)


def _in_every(values) -> Claim:
    return in_every(-1.0, values, sentence="all", unit="points", source="ours")


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([-1.0, 0.0, 5.0], "holds"),
        ([-1.1, 5.0, 5.0], "fails"),
        ([-1.1], "fails"),  # one exception is enough
        ([0.0, 0.0], UNDECIDED),
        ([0.0, math.nan, 0.0], UNDECIDED),
        ([], UNDECIDED),
    ],
)
def test_claim_without_exceptions_fails_by_one(values, verdict):
    claim = _in_every(values)
    assert claim.verdict == verdict and math.isnan(claim.p)
    known = [value for value in values if not math.isnan(value)]
    assert claim.n == len(known)
    assert not known or claim.measured == min(known)
    assert claim.needed == "every one at least -1"


def test_pairs_of_networks_err_in_at_most_5_percent_where_methods_are_equal():
    """Two methods whose networks come from one distribution, three seeds each."""
    rng, repeats, networks, images, classes = np.random.default_rng(2), 400, 3, 60, 5

    def ensemble(logits) -> np.ndarray:
        scale = 1.5 * np.exp(0.2 * rng.normal(size=(networks, 1, 1)))
        noisy = logits + scale * rng.normal(size=(networks, images, classes))
        p = np.exp(noisy - noisy.max(axis=-1, keepdims=True))
        return p / p.sum(axis=-1, keepdims=True)

    wrong = 0
    for _ in range(repeats):
        logits = 3 * rng.normal(size=(images, classes))
        one, other = ensemble(logits), ensemble(logits)
        less = {
            pair: ensemble_information(one[list(pair)])
            - ensemble_information(other[list(pair)])
            for pair in combinations(range(networks), 2)
        }
        tenths = pd.DataFrame(less).T.T.groupby(np.arange(images) // 6).mean()
        error = float(tenths.mean(axis=1).std() / math.sqrt(10))
        values = list(over_networks(tenths.mean()))
        wrong += _claim(values, error=error).verdict != UNDECIDED
    assert wrong / repeats < _most(repeats)
