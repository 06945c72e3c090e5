"""Knobs refuse what they cannot mean, and read what people write."""

import math
from dataclasses import FrozenInstanceError, dataclass, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_problems import quick

from rofit.errors import UserError
from rofit.methods import METHODS
from rofit.settings.knobs import Knobs, knob, knob_types, parse_pair, parse_value
from rofit.settings.spec import RunSpec

KINDS = (int, float, bool, str, tuple[int, ...], tuple[float, ...])
EVERY_CLASS = {"RunSpec": RunSpec} | {k: m.Params for k, m in METHODS.items()}


@dataclass(frozen=True)
class Sample(Knobs):
    """One knob of each kind."""

    count: int = knob(3, "things", low=1)
    share: float = knob(0.5, "of the whole", low=0, high=1)
    rate: float = knob(0.1, "anything finite")
    word: str = knob("a", "letter", choices=("a", "b"))
    on: bool = knob(True, "switch")
    sizes: tuple[int, ...] = knob((1, 2), "of stages", low=1)
    parts: tuple[float, ...] = knob((0.5,), "of the run", low=0, high=1)


REFUSED = [
    ({"count": 0}, "count must be at least 1, got 0"),
    ({"count": 2.0}, r"count must be int, got 2\.0"),
    ({"count": True}, "count must be int, got True"),
    ({"count": "3"}, "count must be int, got '3'"),
    ({"count": None}, "count must be int, got None"),
    ({"share": 1.5}, r"share must be at least 0 and at most 1, got 1\.5"),
    ({"share": -0.1}, r"share must be at least 0 and at most 1, got -0\.1"),
    ({"share": True}, "share must be float, got True"),
    ({"share": "1/2"}, "share must be float, got '1/2'"),
    ({"rate": math.nan}, "rate must be finite, got nan"),
    ({"rate": -math.inf}, "rate must be finite, got -inf"),
    ({"word": "c"}, "unknown word 'c'; known: a, b"),
    ({"word": 1}, "word must be str, got 1"),
    ({"on": 1}, "on must be bool, got 1"),
    ({"sizes": [1, 2]}, r"sizes must be a tuple, got \[1, 2\]"),
    ({"sizes": 2}, "sizes must be a tuple, got 2"),
    ({"sizes": (2, 0)}, "sizes must be at least 1, got 0"),
    ({"sizes": (2, 1.0)}, r"sizes must be int, got 1\.0"),
    ({"parts": (0.5, 1.5)}, r"parts must be at least 0 and at most 1, got 1\.5"),
    ({"parts": (math.nan,)}, "parts must be finite, got nan"),
    ({"parts": ("x",)}, "parts must be float, got 'x'"),
]


@pytest.mark.parametrize(("values", "message"), REFUSED)
def test_value_out_of_type_or_range_is_refused_by_name(values, message):
    with pytest.raises(UserError, match=f"^{message}"):
        Sample(**values)


def test_whole_numbers_become_floats_where_floats_are_meant():
    made = Sample(share=1, rate=7, parts=(0, 1))
    assert [type(v) for v in (made.share, made.rate, *made.parts)] == [float] * 4
    assert made == Sample(share=1.0, rate=7.0, parts=(0.0, 1.0))


def test_ends_of_a_range_belong_to_it():
    assert Sample(share=0.0).share == 0 and Sample(share=1.0).share == 1
    assert Sample(sizes=()).sizes == ()


def test_knobs_cannot_be_changed_after_the_check():
    with pytest.raises(FrozenInstanceError):
        Sample().count = 0


@pytest.mark.parametrize("name", EVERY_CLASS)
def test_every_knob_is_explained_and_its_range_is_looked_at(name):
    for field in fields(EVERY_CLASS[name]):
        if field.name == "method_params":  # checked against the method's own knobs
            continue
        assert field.metadata["about"], field.name
        # a top without a bottom would not be checked
        assert field.metadata["high"] is None or field.metadata["low"] is not None


@pytest.mark.parametrize("name", EVERY_CLASS)
def test_types_of_all_knobs_can_be_read_from_text(name):
    cls = EVERY_CLASS[name]
    for key, kind in knob_types(cls).items():
        if key == "method_params":
            continue
        default = getattr(cls(), key)
        text = ",".join(map(str, default)) if type(default) is tuple else str(default)
        assert parse_value(key, text, kind) == default


@quick
@given(st.integers(-(10**9), 10**9), st.integers(1, 10**9), st.sampled_from(["", " "]))
def test_fraction_is_read_as_the_quotient(p, q, gap):
    assert parse_value("epsilon", f"{p}{gap}/{gap}{q}", float) == p / q


@quick
@given(st.floats(allow_nan=False))
def test_written_float_is_read_back_exactly(value):
    assert parse_value("x", repr(value), float) == value


@quick
@given(st.lists(st.floats(-10, 10), max_size=4), st.sampled_from(["", "()", "[]"]))
def test_written_tuple_is_read_back_with_or_without_brackets(values, brackets):
    left, right = brackets or ("", "")
    text = left + ", ".join(map(repr, values)) + right
    assert parse_value("drops", text, tuple[float, ...]) == tuple(values)


@quick
@given(st.text(max_size=8), st.sampled_from(KINDS))
def test_any_text_is_read_as_its_type_or_refused_by_name(text, kind):
    try:
        value = parse_value("thing", text, kind)
    except UserError as error:
        assert str(error).startswith("thing must be ")
    else:
        assert isinstance(value, getattr(kind, "__origin__", kind))


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("8/0", float, r"a number or a fraction \(8/255\)"),
        ("eight", float, r"a number or a fraction \(8/255\)"),
        ("", float, r"a number or a fraction \(8/255\)"),
        ("1.5", int, "a whole number"),
        ("8/4", int, "a whole number"),
        ("yes", bool, "true or false"),
        ("1", bool, "true or false"),
        ("1,two", tuple[int, ...], "a whole number"),
    ],
)
def test_unreadable_text_is_refused_with_what_was_expected(text, kind, expected):
    with pytest.raises(UserError, match=f"thing must be {expected}, got '"):
        parse_value("thing", text, kind)


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("True", True), ("FALSE", False)]
)
def test_truth_is_read_in_any_case(text, value):
    assert parse_value("flip", text, bool) is value


def test_fraction_too_large_for_a_float_is_refused():
    with pytest.raises(UserError, match="thing must be"):
        parse_value("thing", "9" * 400 + "/7", float)


def test_pair_is_split_at_the_first_equals_sign():
    assert parse_pair(" epsilon = 8/255 ") == ("epsilon", "8/255")
    assert parse_pair("word=a=b") == ("word", "a=b")
    assert parse_pair("blocks=") == ("blocks", "")


@pytest.mark.parametrize("text", ["epsilon", "=3", " =3", ""])
def test_pair_without_key_or_equals_sign_is_refused(text):
    with pytest.raises(UserError, match=f"--set expects key=value, got {text!r}"):
        parse_pair(text)
