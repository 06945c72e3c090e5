"""Every number has an end: none can hang a command or take all memory."""

import math
from dataclasses import fields
from fractions import Fraction

import pytest

from rofit.errors import UserError
from rofit.methods import METHODS
from rofit.settings.knobs import knob_types, parse_pair, parse_value
from rofit.settings.spec import RunSpec

EVERY_CLASS = {"RunSpec": RunSpec} | {k: m.Params for k, m in METHODS.items()}
NUMBERS = (int, float, tuple[int, ...], tuple[float, ...])


@pytest.mark.parametrize("name", EVERY_CLASS)
def test_every_number_has_a_range_with_two_ends(name):
    cls = EVERY_CLASS[name]
    for field in fields(cls):
        if knob_types(cls)[field.name] in NUMBERS and field.name != "epsilon":
            low, high = (field.metadata[end] for end in ("low", "high"))
            assert math.isfinite(high - low), field.name


def test_epsilon_has_the_ends_that_its_threat_model_says():
    for norm, largest in (("linf", 1), ("l2", 10)):
        RunSpec(norm=norm, epsilon=largest)
        with pytest.raises(UserError, match="epsilon must be in"):
            RunSpec(norm=norm, epsilon=largest + 1e-9)


@pytest.mark.parametrize(
    "text", ["1/1e999999999", "1e999999999/1", "1e999999999", "1/1e-999999999", "nan/1"]
)
def test_power_that_no_float_holds_is_refused_at_once(text):
    with pytest.raises(UserError, match="epsilon must be"):
        RunSpec(epsilon=parse_value("epsilon", text, float))


@pytest.mark.parametrize("text", ["1e-999999999/3", "0e999999999/3", "-0/5"])
def test_power_that_vanishes_is_nought(text):
    assert parse_value("epsilon", text, float) == 0


@pytest.mark.parametrize(
    "text", ["8/255", "0.1/255", "1e-3/7", "2.5e2/255", " 8 / 255 "]
)
def test_fraction_is_rounded_once_as_before(text):
    numerator, denominator = (Fraction(part.strip()) for part in text.split("/"))
    assert parse_value("epsilon", text, float) == float(numerator / denominator)


@pytest.mark.parametrize("kind", [int, float, str, bool, tuple[int, ...]])
def test_text_longer_than_any_value_is_refused(kind):
    with pytest.raises(
        UserError, match="thing must have at most 1,000 characters, got"
    ):
        parse_value("thing", "1," * 10**6, kind)


@pytest.mark.parametrize("text", ["epochs=1\n", "epochs=\0", "e\x1b[31m=3"])
def test_pair_that_cannot_be_shown_is_refused(text):
    with pytest.raises(UserError, match="--set expects key=value, got"):
        parse_pair(text)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"seed": 10**5000},
            "seed must be of at most 64 bits, got a value of int that",
        ),
        ({"lr": 10**400}, "lr must be of at most 64 bits, got 1000"),
        (
            {"seed": 2**62},
            "seed must be at least 0 and at most 1,000,000,000,000,000,000",
        ),
        (
            {"blocks": (1_000_000,)},
            "blocks must be at least 1 and at most 200, got 1,000",
        ),
        ({"blocks": (1,) * 101}, "blocks must have at most 100 elements, got 101"),
        ({"width": 10**6}, "width must be at least 0 and at most 4,096, got 1,000,000"),
        ({"lr": 1e39}, r"lr must be at least 0 and at most 1e\+38, got 1e\+39"),
        ({"label_noise": 1.0000001}, "at most 1, got 1.0000001"),
        ({"model": "x" * 101}, "model must be a name of at most 100 bytes, got 101"),
        ({"method": "../x"}, "method must be a name .* got '../x'"),
        ({"labels_from": "a/b"}, "labels_from must be a name .* got 'a/b'"),
        ({"weights_from": ("a/b",)}, "weights_from must be a name .* got 'a/b'"),
        ({"dataset": ""}, "dataset must be a name, got an empty one"),
        ({"dataset_digest": "*/.."}, "dataset_digest must be a name"),
        ({"method_params": {"r": math.inf}}, "r must be finite, got inf"),
        ({"method_params": {"r": 10**400}}, "r must be of at most 64 bits"),
        ({"method_params": {3: 1}}, "a method parameter must be a name, got 3"),
    ],
)
def test_value_beyond_its_end_is_refused(values, message):
    with pytest.raises(UserError, match=message):
        RunSpec(**values)


def test_negative_nought_is_nought():
    spec = RunSpec(weight_decay=-0.0, drops=(-0.0,))
    assert math.copysign(1, spec.weight_decay) == math.copysign(1, spec.drops[0]) == 1
    assert spec.run_id == RunSpec(weight_decay=0.0, drops=(0.0,)).run_id
