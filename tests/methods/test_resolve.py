"""A spec and its method's parameters have one name, however they were told."""

from dataclasses import asdict

import pytest

from rofit.errors import UserError
from rofit.methods import METHODS
from rofit.methods.resolve import described, override, resolve
from rofit.settings.knobs import knob_types
from rofit.settings.spec import RunSpec


@pytest.mark.parametrize("method", METHODS)
def test_parameters_at_their_defaults_do_not_change_the_name(method):
    params = tuple(asdict(METHODS[method].Params()).items())
    spec = RunSpec(method=method, method_params=params)
    assert resolve(spec) == RunSpec(method=method)
    assert resolve(spec).run_id == RunSpec(method=method).run_id


def test_parameter_that_differs_stays_and_the_rest_goes():
    spec = RunSpec(method="sglr", method_params=(("r", 0.5), ("start", 0.445)))
    assert resolve(spec).method_params == (("r", 0.5),)
    assert resolve(resolve(spec)) == resolve(spec)


def test_whole_number_for_a_float_parameter_is_the_same_run():
    whole = resolve(RunSpec(method="sglr", method_params=(("r", 1),)))
    real = resolve(RunSpec(method="sglr", method_params=(("r", 1.0),)))
    assert whole.run_id == real.run_id != RunSpec(method="sglr").run_id


@pytest.mark.parametrize("method", METHODS)
def test_described_tells_every_field_and_every_parameter(method):
    spec = RunSpec(method=method, seed=3)
    description = described(spec)
    fields = {key: description[key] for key in knob_types(RunSpec)}
    assert fields["method_params"] == asdict(METHODS[method].Params())
    assert fields["seed"] == 3
    assert resolve(RunSpec.from_dict(fields)) == spec


def test_described_tells_the_names_of_the_run_beside_all_its_parameters():
    """They cannot be made anew from the file, where every parameter is told."""
    spec = resolve(RunSpec(method="sglr", method_params=(("r", 0.5),), seed=3))
    description = described(spec)
    assert (description["run_id"], description["family_id"]) == (
        spec.run_id,
        spec.family_id,
    )
    assert description["family_id"] == spec.replace(seed=0).run_id
    assert description.keys() - knob_types(RunSpec).keys() == {"run_id", "family_id"}


REFUSED = [
    (
        "sgls",
        {"clean_shar": 0.5},
        "unknown parameter of sgls 'clean_shar'.*clean_share",
    ),
    ("pgd_at", {"r": 0.5}, "unknown parameter of pgd_at 'r'"),
    ("sglr", {"r": 1.5}, "r must be at least 0 and at most 1, got 1.5"),
    ("sglr", {"r": "half"}, "r must be float, got 'half'"),
    ("sgls", {"attack_labels": "soft"}, "unknown attack_labels 'soft'"),
    ("pgdat", {}, "unknown method 'pgdat'; did you mean pgd_at"),
]


@pytest.mark.parametrize("ask", [resolve, described])
@pytest.mark.parametrize(("method", "params", "message"), REFUSED)
def test_unusable_method_or_parameter_is_refused(ask, method, params, message):
    with pytest.raises(UserError, match=message):
        ask(RunSpec(method=method, method_params=tuple(params.items())))


def test_settings_are_read_by_the_type_of_their_field():
    text = {"epsilon": "4/255", "epochs": "7", "flip": "false", "drops": "0.3,1/2"}
    spec = override(RunSpec(), text | {"blocks": "1,1", "norm": "l2"})
    expected = dict(epsilon=4 / 255, epochs=7, flip=False, drops=(0.3, 0.5))
    assert spec == RunSpec(**expected, blocks=(1, 1), norm="l2")


def test_setting_of_a_parameter_keeps_the_others():
    spec = RunSpec(method="sglr", method_params=(("start", 0.3),))
    spec = override(spec, {"r": "1/2", "clean_share": "0", "lr": "0.05"})
    expected = {"start": 0.3, "r": 0.5, "clean_share": 0.0}
    assert dict(spec.method_params) == expected and spec.lr == 0.05


def test_parameter_set_back_to_its_default_gives_the_default_run():
    spec = RunSpec(method="sglr", method_params=(("r", 0.5),))
    assert override(spec, {"r": "0.8"}).run_id == RunSpec(method="sglr").run_id


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epsilom": "1"}, r"of sglr\) 'epsilom'; did you mean epsilon"),
        ({"clean_shar": "0"}, r"of sglr\) 'clean_shar'; did you mean clean_share"),
        ({"rho": "0.1"}, r"unknown field \(of a run or of sglr\) 'rho'"),
        ({"method_params": "r=1"}, "'method_params'"),
        ({"epochs": "ten"}, "epochs must be a whole number, got 'ten'"),
        ({"epsilon": "8"}, "did you mean 8/255"),
        ({"r": "2"}, "r must be at least 0 and at most 1, got 2"),
    ],
)
def test_unusable_setting_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        override(RunSpec(method="sglr"), settings)


@pytest.mark.parametrize("method", METHODS)
def test_no_parameter_is_called_as_a_field_of_the_run(method):
    params = knob_types(METHODS[method].Params)
    assert not params.keys() & knob_types(RunSpec).keys()


def test_method_and_its_parameter_can_be_set_together():
    spec = override(RunSpec(), {"method": "sglr", "r": "0.5"})
    assert spec == RunSpec(method="sglr", method_params=(("r", 0.5),))
