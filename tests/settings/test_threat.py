"""A radius is in input units, and the usual slip is answered with the right one."""

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_problems import quick

from rofit.errors import UserError
from rofit.settings.threat import NORMS, ThreatModel

LARGEST = {"linf": 1, "l2": 10}


@quick
@given(st.sampled_from(NORMS), st.floats(0, 1))
def test_every_radius_from_zero_to_the_largest_is_taken(norm, share):
    radius = share * LARGEST[norm]
    assert ThreatModel(norm, radius).epsilon == radius


@quick
@given(st.sampled_from(NORMS), st.floats(1e-9, 1e9))
def test_every_radius_outside_is_refused(norm, beyond):
    for radius in (-beyond, LARGEST[norm] + beyond):
        with pytest.raises(UserError, match=r"epsilon must be in \[0, "):
            ThreatModel(norm, radius)


@pytest.mark.parametrize(
    ("norm", "epsilon", "message"),
    [
        ("linf", 8, r"in \[0, 1\] .*linf\), got 8; did you mean 8/255\?$"),
        ("linf", 255, r"got 255; did you mean 255/255\?$"),
        ("l2", 128, r"in \[0, 10\] .*l2\), got 128; did you mean 128/255\?$"),
        ("linf", 300, "got 300$"),
        ("linf", -0.1, r"got -0\.1$"),
        ("linf", float("nan"), "got nan$"),
        ("l2", float("inf"), "got inf$"),
    ],
)
def test_refusal_says_the_range_and_proposes_a_255th(norm, epsilon, message):
    with pytest.raises(UserError, match=message):
        ThreatModel(norm, epsilon)


def test_unknown_norm_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match="unknown norm 'Linf'; did you mean linf.*l2"):
        ThreatModel("Linf")


@pytest.mark.parametrize(
    ("threat", "text"),
    [
        (ThreatModel(), "linf 8/255"),
        (ThreatModel("l2", 128 / 255), "l2 128/255"),
        (ThreatModel("linf", 0.031), "linf 0.031"),  # 7.905/255, as TRADES writes it
        (ThreatModel("l2", 0.5), "l2 0.5"),
        (ThreatModel("linf", 0.0), "linf 0/255"),
        (ThreatModel("linf", 1.0), "linf 255/255"),
    ],
)
def test_threat_is_written_as_the_field_writes_it(threat, text):
    assert str(threat) == text


def test_threat_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        ThreatModel().epsilon = 1.0
