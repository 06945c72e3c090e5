"""What a run is called never changes, and says all that makes it another."""

import json
import re
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_problems import quick

from rofit.settings.spec import RunSpec, epoch_at
from rofit.settings.threat import ThreatModel

SGLS = dict(method="sgls", normalise=False, drops=(0.495, 0.745))
SMALL = dict(crop_pad=0, flip=False, model="preact_small", width=16, blocks=(1, 1, 1))
NOISE = dict(label_noise=0.4, noise_convention="other", data_seed=5)
GOLDEN = [
    ({}, "pgd_at-cifar10-44136fa3", "pgd_at-cifar10-44136fa3"),
    ({"method": "standard"}, "standard-cifar10-10ed1e54", "standard-cifar10-10ed1e54"),
    (SGLS, "sgls-cifar10-75d8c574", "sgls-cifar10-75d8c574"),
    (
        dict(method="sglr", method_params=(("start", 0.3), ("r", 0.5)), seed=2),
        "sglr-cifar10-e52060b3",
        "sglr-cifar10-5d1a0c50",
    ),
    (
        dict(method="label_smoothing", method_params=(("rho", 0.2),), seed=1)
        | {"dataset": "cifar100"},
        "label_smoothing-cifar100-21d42ece",
        "label_smoothing-cifar100-1a61a087",
    ),
    (
        dict(dataset="svhn", norm="l2", epsilon=128 / 255, step_size=15 / 255, lr=0.01),
        "pgd_at-svhn-1ffe4125",
        "pgd_at-svhn-1ffe4125",
    ),
    (
        dict(dataset="tiny", dataset_digest="0123456789ab", model="resnet18")
        | dict(epochs=100, batch_size=256, attack_bn="train"),
        "pgd_at-tiny-6d6c3806",
        "pgd_at-tiny-6d6c3806",
    ),
    (
        dict(dataset="digits", train_size=400, val_size=150, test_size=250, seed=3)
        | NOISE
        | SMALL
        | dict(attack_steps=5, eval_steps=5, momentum=0.8, weight_decay=0)
        | dict(drop_factor=0.5),
        "pgd_at-digits-5137a4be",
        "pgd_at-digits-8008cd06",
    ),
]
OTHER = {
    "eval_every": 5,
    "labels_from": "sglr",
    "weights_from": ("awp",),  # another value for every field
    "method": "sgls",
    "method_params": (("start", 0.3),),
    "dataset": "svhn",
    "dataset_digest": "0123456789ab",
    "noise_convention": "other",
    "model": "resnet18",
    "activation": "silu",
    "form": "deepmind",
    "norm": "l2",
    "attack_bn": "train",
    "precision": "bf16",
    "blocks": (1, 1),
    "drops": (0.5,),
    "crop_fill": "reflect",
    "augment": "cutout",
    "schedule": "cosine",
    "l2_start": "radius",
    "extra_passes": ("clean",),
    "nesterov": True,
}


DEFAULTS = {
    "method": "pgd_at",
    "method_params": {},
    "dataset": "cifar10",
    "dataset_digest": "",
    "train_size": 0,
    "val_size": 1000,
    "test_size": 0,
    "data_seed": 0,
    "label_noise": 0.0,
    "noise_convention": "uniform",
    "crop_pad": 4,
    "crop_fill": "zeros",
    "augment": "crop_flip",
    "flip": True,
    "model": "preact_resnet18",
    "width": 0,
    "blocks": [],
    "normalise": True,
    "norm": "linf",
    "epsilon": 8 / 255,
    "step_size": 2 / 255,
    "attack_steps": 10,
    "attack_bn": "eval",
    "start_clamp": True,
    "l2_start": "ball",
    "extra_passes": [],
    "eval_steps": 20,
    "precision": "fp32",
    "epochs": 200,
    "batch_size": 128,
    "lr": 0.1,
    "momentum": 0.9,
    "nesterov": False,
    "weight_decay": 5e-4,
    "schedule": "drops",
    "drops": [0.5, 0.75],
    "drop_factor": 0.1,
    "seed": 0,
}


@pytest.mark.parametrize(("values", "run_id", "family_id"), GOLDEN)
def test_golden_ids_never_change(values, run_id, family_id):
    """None of these may ever change: runs on disk and exported logs bear them.

    If one does, a field's name or form was changed, or how ids are made. Undo that; do
    not edit the list.
    """
    spec = RunSpec(**values)
    assert (spec.run_id, spec.family_id) == (run_id, family_id)


def test_defaults_never_change():
    """None of these may ever change: an id says nothing of fields at their default.

    Another default would give old names to new runs. A field added later may stand
    beside these if its default means "as before".
    """
    defaults = RunSpec().as_dict()
    assert {key: defaults[key] for key in DEFAULTS} == DEFAULTS


specs = st.builds(
    RunSpec,
    method=st.sampled_from(["pgd_at", "sgls"]),
    method_params=st.dictionaries(
        st.text("abc", min_size=1),
        st.floats(0, 1) | st.booleans() | st.text(max_size=3),
    ).map(lambda d: tuple(d.items())),
    epsilon=st.floats(0, 1),
    lr=st.floats(0, 1e6),
    epochs=st.integers(1, 10**6),
    blocks=st.lists(st.integers(1, 9), max_size=4).map(tuple),
    drops=st.lists(st.floats(0, 1), max_size=3).map(tuple),
    flip=st.booleans(),
    seed=st.integers(0, 2**40),
)


@quick
@given(specs)
def test_spec_survives_json_with_its_name(spec):
    again = RunSpec.from_dict(json.loads(json.dumps(spec.as_dict())))
    assert again == spec and again.run_id == spec.run_id


@quick
@given(specs, st.integers(0, 2**40))
def test_family_is_the_same_for_all_seeds_and_the_run_is_not(spec, seed):
    other = spec.replace(seed=seed)
    assert other.family_id == spec.family_id
    assert (other.run_id == spec.run_id) == (seed == spec.seed)


def _another(field):
    if field.name in OTHER:
        return OTHER[field.name]
    kind = type(field.default)  # halved, or 1 instead of 0; False instead of True
    return False if kind is bool else kind(field.default / 2) or kind(1)


@pytest.mark.parametrize("field", fields(RunSpec), ids=lambda field: field.name)
def test_every_field_is_part_of_the_name(field):
    value = _another(field)
    changed = RunSpec(**{field.name: value})
    assert getattr(changed, field.name) == value != field.default
    assert changed.run_id != RunSpec().run_id


def test_name_says_method_and_data_set_then_eight_hex_digits():
    name = RunSpec(method="sglr", dataset="cifar100").run_id
    assert re.fullmatch("sglr-cifar100-[0-9a-f]{8}", name)


def test_order_of_method_parameters_does_not_matter():
    one = RunSpec(method_params=(("r", 0.5), ("start", 0.3)))
    other = RunSpec(method_params=(("start", 0.3), ("r", 0.5)))
    assert one == other and one.run_id == other.run_id and hash(one) == hash(other)


def test_order_of_extra_passes_does_not_matter_and_their_number_does():
    one, other = (
        RunSpec(extra_passes=passes)
        for passes in (("clean", "adversarial"), ("adversarial", "clean"))
    )
    assert one == other and one.run_id == other.run_id
    twice = RunSpec(extra_passes=("clean", "clean"))
    assert twice.run_id != RunSpec(extra_passes=("clean",)).run_id


def test_whole_number_for_a_float_is_the_same_run():
    whole, real = RunSpec(lr=1, drops=(0, 1)), RunSpec(lr=1.0, drops=(0.0, 1.0))
    assert whole == real and whole.run_id == real.run_id


def test_defaults_told_explicitly_do_not_change_the_name():
    assert RunSpec.from_dict(RunSpec().as_dict()).run_id == RunSpec().run_id


def test_threat_holds_the_specs_norm_and_radius():
    threat = RunSpec(norm="l2", epsilon=0.5).threat
    assert threat == ThreatModel("l2", 0.5, lower=0.0, upper=1.0)


@quick
@given(st.integers(1, 1000), st.floats(0, 1), st.floats(0, 1))
def test_epoch_at_is_monotone_and_ends_at_the_run(epochs, one, other):
    low, high = sorted((one, other))
    assert 0 <= epoch_at(low, epochs) <= epoch_at(high, epochs) <= epochs
    assert epoch_at(0, epochs) == 0 and epoch_at(1, epochs) == epochs
    assert abs(epoch_at(one, epochs) - one * epochs) <= 0.5
