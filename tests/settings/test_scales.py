"""A scale changes how big a run is, and nothing of what it is."""

import re
from dataclasses import fields

import pytest

from rofit.errors import UserError
from rofit.settings.recipes import RECIPES
from rofit.settings.scales import SCALES, TOUCHABLE, find_scale
from rofit.settings.spec import RunSpec

FIELDS = {field.name for field in fields(RunSpec)}
# The threat, the method, the schedule's shape, the optimizer's rule, and the seeds.
NEVER = set(
    "method method_params labels_from weights_from norm epsilon step_size attack_bn "
    "drops drop_factor momentum weight_decay normalise activation form blocks "
    "noise_convention dataset_digest seed data_seed crop_fill augment schedule "
    "start_clamp l2_start extra_passes nesterov".split()
)
ODD = RunSpec(  # no field has its default, so that none is changed unseen
    method="sgls",
    method_params=(("start", 0.3),),
    dataset="svhn",
    train_size=77,
    val_size=7,
    test_size=70,
    label_noise=0.123,
    crop_pad=3,
    crop_fill="reflect",
    augment="cutout",
    schedule="linear",
    flip=False,
    model="resnet18",
    width=12,
    blocks=(1, 1),
    normalise=False,
    norm="l2",
    epsilon=0.5,
    step_size=0.125,
    attack_steps=3,
    attack_bn="train",
    start_clamp=False,
    l2_start="radius",
    extra_passes=("clean",),
    eval_steps=4,
    epochs=17,
    batch_size=13,
    lr=0.017,
    momentum=0.7,
    nesterov=True,
    weight_decay=1e-3,
    drops=(0.2,),
    drop_factor=0.5,
    seed=9,
    data_seed=8,
)


def _changed(before: RunSpec, after: RunSpec) -> set[str]:
    return {name for name in FIELDS if getattr(before, name) != getattr(after, name)}


@pytest.mark.parametrize("name", SCALES)
def test_scale_touches_only_what_it_says_and_may(name):
    scale = SCALES[name]
    assert set(scale.changes) <= TOUCHABLE
    assert _changed(ODD, scale.apply(ODD)) <= set(scale.changes)
    assert all(getattr(scale.apply(ODD), k) == v for k, v in scale.changes.items())


def test_touchable_fields_exist_and_are_none_of_those_that_make_the_run():
    assert TOUCHABLE <= FIELDS
    assert TOUCHABLE | NEVER == FIELDS and not TOUCHABLE & NEVER


def test_paper_changes_nothing():
    assert SCALES["paper"].apply(ODD) == ODD
    assert SCALES["paper"].apply(RunSpec()) == RunSpec()


@pytest.mark.parametrize("name", SCALES)
def test_field_that_the_analysis_varies_stays_as_it_is(name):
    scale = SCALES[name]
    for field in scale.changes:
        sized = scale.apply(ODD, but=[field])
        assert getattr(sized, field) == getattr(ODD, field)
        assert _changed(sized, scale.apply(ODD)) <= {field}
    assert scale.apply(ODD, but=TOUCHABLE) == ODD


@pytest.mark.parametrize("name", SCALES)
def test_scale_leaves_every_recipe_as_it_is_but_for_its_length_and_rate(name):
    """Those a scale sets for its own images; the paper's leaves them too."""
    for recipe in RECIPES.values():
        assert set(recipe.changes) & set(SCALES[name].changes) <= {"epochs", "lr"}
        made = recipe.apply(RunSpec())
        assert _changed(made, SCALES["paper"].apply(made)) == set()


@pytest.mark.parametrize("name", ["smoke", "demo"])
def test_newcomers_scales_need_no_download_and_no_crops_of_tiny_images(name):
    sized = SCALES[name].apply(RunSpec())
    assert (sized.dataset, sized.crop_pad, sized.flip) == ("digits", 0, False)
    assert sized.val_size > 0, "best is chosen on validation images"


def test_every_scale_is_smaller_than_the_next():
    sized = [SCALES[name].apply(RunSpec()) for name in ("smoke", "demo", "cpu", "hour")]
    for small, large in zip(sized, sized[1:], strict=False):
        assert small.train_size <= large.train_size
        assert small.epochs < large.epochs
    assert SCALES["gpu"].apply(RunSpec()).epochs < RunSpec().epochs


@pytest.mark.parametrize("name", SCALES)
def test_numbers_in_the_description_are_those_of_the_scale(name):
    scale = SCALES[name]
    about = scale.about.replace(",", "")
    patterns = {
        "train_size": r"(\d+) training images",
        "epochs": r"(\d+) epochs",
        "label_noise": r"(\d+) % of labels redrawn",
    }
    for field, pattern in patterns.items():
        numbers = re.findall(pattern, about)
        assert numbers or field not in scale.changes or field == "label_noise"
        for number in numbers:
            unit = 100 if field == "label_noise" else 1
            assert int(number) == round(unit * scale.changes[field])
    for number in re.findall(r"(\d+) seeds?", about):
        assert int(number) == scale.seeds


def test_unknown_scale_is_refused_with_the_nearest_and_all():
    sentence = r"unknown scale 'smoked'; did you mean smoke.*\? \(known: cpu, demo, g"
    with pytest.raises(UserError, match=sentence):
        find_scale("smoked")
    assert find_scale("demo") is SCALES["demo"]
