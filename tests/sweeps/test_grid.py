"""Values as they are typed, all settings of them, and those that a budget draws."""

import pytest

from rofit.errors import UserError
from rofit.sweeps.grid import (
    MOST_RUNS,
    check_number_of_runs,
    read_values,
    settings_of,
)

TYPED = {
    ("r", "0.5,0.8"): ("0.5", "0.8"),
    ("seed", "0..3"): ("0", "1", "2", "3"),
    ("seed", "-1..1,7"): ("-1", "0", "1", "7"),
    ("epochs", "2..2"): ("2",),
    ("epsilon", "4/255, 8/255"): ("4/255", "8/255"),
    ("drops", "0.5,0.75"): ("0.5,0.75",),
    ("drops", "0.5,0.75:0.4"): ("0.5,0.75", "0.4"),
    ("weights_from", ":awp,swa"): ("", "awp,swa"),
    ("method", "sgls,sglr"): ("sgls", "sglr"),
    ("dataset", "1..3"): ("1..3",),  # a name
    ("r", "0.5,"): ("0.5", ""),  # refused where it is read as a number
}


@pytest.mark.parametrize("pair", TYPED, ids="=".join)
def test_values_are_split_as_their_field_has_commas_or_not(pair):
    assert read_values([pair]) == {pair[0]: TYPED[pair]}


REFUSED = {
    "r=0.5 r=0.8": "r is set twice; give all its values in one --set",
    "epochs=4..2": "epochs='4..2' has no value: it ends below its start",
    "seed=0..1000": "at most 1,000 runs; seed has 1,001 values",
    f"r={',' * MOST_RUNS}": "at most 1,000 runs; r has 1,001 values",
    "seed=0..999999999999": "at most 1,000 runs; seed has 1,000,000,000,000 values",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:20])
def test_values_that_cannot_be_swept_are_refused(text):
    with pytest.raises(UserError, match=REFUSED[text]):
        read_values(pair.split("=") for pair in text.split())


def test_settings_are_the_product_of_the_values():
    settings = settings_of({"r": ("0", "1"), "lr": ("2", "3", "4")}, None)
    assert settings == [{"r": r, "lr": lr} for r in "01" for lr in "234"]


def test_budget_draws_by_the_sequence_of_sobol():
    """(0, 0), (1/2, 1/2), (3/4, 1/4), (1/4, 3/4), (3/8, 3/8), (7/8, 7/8), ..."""
    values = {"a": tuple("01234567"), "b": tuple("01234567")}
    expected = ["00", "44", "62", "26", "33", "77"]
    for budget in range(1, len(expected) + 1):
        settings = settings_of(values, budget)
        assert ["".join(s.values()) for s in settings] == expected[:budget]


def test_budget_counts_different_settings_and_ends_with_all():
    values = {"a": tuple("012"), "b": tuple("01"), "c": tuple("01234")}
    every = {tuple(setting.values()) for setting in settings_of(values, None)}
    for budget in (1, 2, 3, 17, 29, 30, 31):
        drawn = [tuple(setting.values()) for setting in settings_of(values, budget)]
        assert len(set(drawn)) == len(drawn) == min(budget, 30)
        assert set(drawn) <= every


def test_more_than_a_thousand_runs_are_refused_before_they_are_made():
    wide = {name: tuple(map(str, range(MOST_RUNS))) for name in "abcdefgh"}
    with pytest.raises(UserError, match="1,000,000,000,000,000,000,000,000 settings"):
        settings_of(wide, None)
    assert len(settings_of(wide, 8)) == 8
    check_number_of_runs(500, 2)
    with pytest.raises(UserError, match="at most 1,000 runs; 501 settings of 2 seeds"):
        check_number_of_runs(501, 2)
