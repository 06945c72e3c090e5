"""A claim holds, fails, or cannot be decided at its scale."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rofit.measures.claim_text import how_judged, markdown
from rofit.measures.claims import (
    Claim,
    as_plain,
    at_least,
    from_plain,
    holm,
)

NAN = math.nan
UNDECIDED = "not decidable at this scale"


def _claim(values, threshold=6.0, full_size=False) -> Claim:
    return at_least(
        threshold,
        values,
        sentence="it falls",
        unit="points",
        source="ours",
        full_size=full_size,
    )


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([7.0, 7.5, 8.0], "holds"),  # the interval is 7.5 +- 1.24
        ([5.0, 7.0, 9.0], UNDECIDED),  # the mean alone does not count
        ([4.0, 4.5, 5.0], "fails"),
        ([1.0, 2.0, 2.0], "fails"),  # above zero is not enough
        ([NAN, 7.0, 7.5, 8.0], "holds"),  # what was not measured is left out
        ([9.0], UNDECIDED),
        ([9.0, 9.1], UNDECIDED),
        ([NAN], UNDECIDED),
        ([], UNDECIDED),
    ],
)
def test_full_size_is_decided_by_the_threshold(values, verdict):
    assert _claim(values, full_size=True).verdict == verdict


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([1.0, 1.5, 2.0], "holds"),  # 1.5 +- 1.24: above zero, below the threshold
        ([-1.0, -1.5, -2.0], "fails"),
        ([-1.0, 1.0, 2.0], UNDECIDED),
        ([1.0, 2.0, 3.0], UNDECIDED),  # 2 +- 2.48
        ([1.0, 2.0, 2.0], "holds"),  # 1.67 +- 1.43
        ([0.0, 2.0, 2.0], UNDECIDED),
        ([3.0, 3.0, 3.0], "holds"),
        ([0.0, 0.0, 0.0], UNDECIDED),
        ([99.0], UNDECIDED),  # one seed has no spread
        ([99.0, 98.0], UNDECIDED),  # two have hardly any knowledge of theirs
        ([99.0, NAN], UNDECIDED),
        ([NAN, NAN], UNDECIDED),
        ([], UNDECIDED),
    ],
)
def test_below_full_size_the_interval_must_lie_on_one_side_of_zero(values, verdict):
    assert _claim(values).verdict == verdict


def test_claim_carries_mean_sample_deviation_and_number_of_seeds():
    claim = _claim([1.0, 2.0, 6.0, NAN])
    assert (claim.measured, claim.n) == (3.0, 3)
    assert claim.spread == pytest.approx(math.sqrt((4 + 1 + 9) / 2))
    assert (claim.sentence, claim.unit, claim.source) == ("it falls", "points", "ours")


def test_one_seed_has_no_spread_and_none_has_no_mean():
    one, none = _claim([5.0]), _claim([NAN])
    assert (one.measured, one.n) == (5.0, 1) and math.isnan(one.spread)
    assert math.isnan(none.measured) and math.isnan(none.spread) and none.n == 0


def test_what_is_needed_is_said_in_words():
    assert _claim([1.0], threshold=0.5, full_size=True).needed == "at least 0.5"
    assert _claim([1.0]).needed == "above 0 (full size: at least 6)"


@pytest.mark.parametrize("values", [[1.0, 2.0], [5.0], [NAN]])
def test_claim_survives_json_that_knows_no_nan(values):
    claim = _claim(values)
    text = json.dumps(as_plain(claim), allow_nan=False)
    assert repr(from_plain(json.loads(text))) == repr(claim)  # NaN equals nothing


def test_markdown_has_a_row_a_claim_and_a_line_that_says_how_it_is_judged():
    text = markdown(holm([_claim([1.0, 1.5, 2.0]), _claim([5.0]), _claim([])]))
    first, second, none, *_, last = text.splitlines()[2:]
    assert first == (
        "| **holds** | it falls (ours) | 1.50 ± 0.50 points, n = 3 | 0.26 to 2.74 "
        "| above 0 (full size: at least 6) | 0.035 (0.035) |"
    )
    assert "| 5.00 points, n = 1 |  |" in second and "| not measured |" in none
    assert "the 1 claim tested here" in last
    assert last == how_judged(holm([_claim([1, 1.5, 2])]))
    small = markdown([_claim([0.0123, 0.0125])])
    assert "| 0.012 ± 0.00014 points, n = 2 |" in small


def test_claim_of_before_intervals_is_read():
    older = {k: v for k, v in as_plain(_claim([1.0])).items() if k[0] not in "lhp"}
    assert set(as_plain(_claim([1.0]))) - set(older) == {"low", "high", "p", "p_holm"}
    assert repr(from_plain(older)) == repr(_claim([1.0]))


@given(st.lists(st.floats(-100, 100), max_size=5))
def test_below_full_size_a_claim_and_its_opposite_never_both_hold(values):
    opposite = {"holds": "fails", "fails": "holds", UNDECIDED: UNDECIDED}
    negated = [-value for value in values]
    assert _claim(negated).verdict == opposite[_claim(values).verdict]
