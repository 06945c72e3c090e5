"""A run that cannot be meant is refused with what was expected."""

import math
from dataclasses import FrozenInstanceError

import pytest

from rofit.errors import UserError
from rofit.settings.knobs import knob_types
from rofit.settings.spec import RunSpec

REFUSED = [
    ({"epsilon": 8}, r"epsilon must be in \[0, 1\].*did you mean 8/255\?"),
    ({"norm": "l2", "epsilon": 128}, r"in \[0, 10\].*did you mean 128/255\?"),
    ({"norm": "l1"}, "unknown norm 'l1'.*known: l2, linf"),
    ({"epsilon": math.nan}, "epsilon must be finite, got nan"),
    ({"epochs": 0}, "epochs must be at least 1 and at most 1,000,000, got 0"),
    ({"batch_size": 1}, "batch_size must be at least 2 and at most 65,536, got 1"),
    ({"drops": [0.5, 0.75]}, r"drops must be a tuple, got \[0.5, 0.75\]"),
    ({"drops": (1.5,)}, "drops must be at least 0 and at most 1, got 1.5"),
    ({"attack_bn": "Eval"}, "unknown attack_bn 'Eval'; did you mean eval"),
    ({"l2_start": "sphere"}, "unknown l2_start 'sphere'; known: ball, gaussian, rad"),
    ({"extra_passes": ("clear",)}, "unknown extra_passes 'clear'; did you mean clean"),
    ({"nesterov": True, "momentum": 0.0}, "nesterov needs a momentum above 0"),
    ({"noise_convention": "all"}, "unknown noise_convention 'all'"),
    ({"label_noise": 40}, "label_noise must be at least 0 and at most 1, got 40"),
]


@pytest.mark.parametrize(("values", "message"), REFUSED)
def test_run_that_cannot_be_meant_is_refused(values, message):
    with pytest.raises(UserError, match=message):
        RunSpec(**values)


WRONG = {int: True, float: math.nan, bool: 1, str: 1}
KINDS = {k: v for k, v in knob_types(RunSpec).items() if k != "method_params"}


@pytest.mark.parametrize("name", KINDS)
def test_every_field_refuses_another_type(name):
    with pytest.raises(UserError, match=f"^{name} must be"):
        RunSpec(**{name: WRONG.get(KINDS[name], [1])})


def test_unknown_field_of_a_file_is_answered_with_the_nearest():
    with pytest.raises(
        UserError, match="unknown field of a run 'epsilom'; did you mean epsilon"
    ):
        RunSpec.from_dict({"epsilom": 0.1})


def test_mapping_of_method_parameters_is_understood_or_refused():
    try:
        spec = RunSpec(method="sglr", method_params={"r": 0.5})
    except UserError:
        return
    assert spec.method_params == (("r", 0.5),)


def test_file_whose_method_parameters_are_no_mapping_is_refused():
    with pytest.raises(UserError, match="method_params"):
        RunSpec.from_dict({"method_params": 3})


def test_spec_cannot_be_changed_and_a_copy_is_checked_again():
    with pytest.raises(FrozenInstanceError):
        RunSpec().seed = 1
    with pytest.raises(UserError, match="epochs must be at least 1"):
        RunSpec().replace(epochs=0)
