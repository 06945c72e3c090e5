"""The command of a report is one that makes the very run again."""

import json
import shlex

import pytest
from command_line import rofit

from rofit.diagnostics import DIAGNOSTICS
from rofit.methods.resolve import resolve
from rofit.report.origin import command, nearest, setting_text
from rofit.settings.knobs import knob_types, parse_value
from rofit.settings.recipes import RECIPES
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec

ALL = set(DIAGNOSTICS)


def _sized(recipe="sgls", scale="demo", **changes):
    base = RECIPES[recipe].apply(RunSpec()) if recipe else RunSpec()
    return SCALES[scale].apply(base).replace(**changes)


SPECS = [
    _sized(),
    _sized("rice2020", "paper", seed=3),
    _sized("", "smoke", method="trades", labels_from="sglr", weights_from=("awp",)),
    _sized("sgls", "hour", precision="fp32", dataset="cifar100"),
    _sized("sgls", "hour", dataset="svhn"),
    _sized(method="sglr", method_params={"r": 0.5}, epsilon=4 / 255, lr=0.123),
    _sized(drops=(), blocks=(1, 2), flip=True, norm="l2", epsilon=0.5),
    RunSpec(epochs=7, width=13, schedule="cosine"),
]


@pytest.mark.parametrize("spec", SPECS, ids=range(len(SPECS)))
def test_command_names_the_run(spec, tmp_path):
    words = shlex.split(command(resolve(spec), ALL, ALL))
    assert words[0] == "rofit"
    answer = rofit(tmp_path, *words[1:], "--dry-run", "--json")
    assert (answer.code, answer.err) == (0, "")
    (row,) = json.loads(answer.out)["runs"]
    assert row["run"] == resolve(spec).run_id


def test_command_of_class_folders_leaves_their_place_to_the_reader():
    spec = _sized(dataset="mine", dataset_digest="ab12cd34ef56")
    text = command(spec, ALL, ALL)
    assert "--data mine=PATH" in text and "--dataset" not in text


def test_command_says_what_watched_where_it_was_not_all():
    words = shlex.split(command(_sized(), {"confidence", "calibration"}, ALL))
    assert words[-4:] == ["--watch", "calibration", "--watch", "confidence"]
    assert "--watch" not in command(_sized(), ALL, ALL)


def test_nearest_are_the_recipe_and_scale_that_made_it():
    for recipe in ("rice2020", "sgls"):
        for scale in SCALES:
            origin = nearest(_sized(recipe, scale, seed=2, momentum=0.5))
            assert (origin.recipe, origin.scale) == (recipe, scale)
            assert origin.differs == {"seed": 2, "momentum": 0.5}


def test_settings_are_read_as_they_were():
    spec = SPECS[6].as_dict()
    types = knob_types(RunSpec)
    for name, value in spec.items():
        if name != "method_params":
            text = setting_text(value, name)
            read = parse_value(name, text, types[name])
            assert (list(read) if isinstance(read, tuple) else read) == value, name
