"""A recipe is what its source published, epoch by epoch."""

from dataclasses import fields

import pytest
import torch
from toy_problems import conv_net

from rofit.attacks.pgd import PGD
from rofit.methods import METHODS, Context
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec, epoch_at
from rofit.training.schedules import learning_rate

OTHER = RunSpec(
    attack_bn="train", normalise=False, drops=(0.1,), lr=0.017, epochs=60, seed=4
)


def _rates(recipe: str) -> list[float]:
    """Return the learning rate of epochs 1 to 200."""
    spec = RECIPES[recipe].apply(RunSpec())
    return [learning_rate(spec, epoch - 1) for epoch in range(1, 201)]


def test_sgls_drops_the_rate_for_epoch_100_and_epoch_150_counted_from_1():
    expected = [0.1] * 99 + [0.01] * 50 + [0.001] * 51
    assert _rates("sgls") == pytest.approx(expected, rel=1e-12)


def test_rice2020_drops_the_rate_after_100_and_150_epochs():
    expected = [0.1] * 100 + [0.01] * 50 + [0.001] * 50
    assert _rates("rice2020") == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("method", ["sgls", "sglr"])
def test_labels_are_refined_from_epoch_90_counted_from_1(method):
    spec = RECIPES["sgls"].apply(RunSpec(method=method))
    module = METHODS[method]
    attack, y = PGD(spec.threat, 0, 0.0), torch.tensor([0, 1])
    labels = module.build(module.Params(), Context(attack, y, 2, conv_net())).labels
    refined = []
    for epoch in range(1, spec.epochs + 1):
        labels.begin_epoch(epoch - 1, spec.epochs)
        if labels.active:
            refined.append(epoch)
    assert refined == list(range(90, 201))


@pytest.mark.parametrize("epochs", [20, 28, 30, 60, 110, 200])
def test_shortened_runs_refine_before_the_first_drop_too(epochs):
    spec = RECIPES["sgls"].apply(RunSpec(epochs=epochs))
    start = METHODS["sgls"].Params().start
    assert epoch_at(start, epochs) < epoch_at(spec.drops[0], epochs)


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_changes_what_it_declares_and_nothing_else(name):
    recipe = RECIPES[name]
    made = recipe.apply(OTHER)
    for field in fields(RunSpec):
        expected = recipe.changes.get(field.name, getattr(OTHER, field.name))
        assert getattr(made, field.name) == expected, field.name


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_has_a_source_and_leaves_method_data_and_model_to_others(name):
    left = {"method", "method_params", "dataset", "dataset_digest", "model", "seed"}
    assert RECIPES[name].source
    assert not left & RECIPES[name].changes.keys()


def test_sources_settings_that_are_not_listed_are_the_defaults():
    """SGD 0.1, 0.9, 5e-4, batch 128, PGD-10 at 8/255 by 2/255, crop and flip.

    Both recipes rely on them, so none of them may drift.
    """
    spec = RunSpec()
    assert (spec.lr, spec.momentum, spec.weight_decay) == (0.1, 0.9, 5e-4)
    assert (spec.epochs, spec.batch_size, spec.drop_factor) == (200, 128, 0.1)
    assert (spec.norm, spec.epsilon, spec.step_size) == ("linf", 8 / 255, 2 / 255)
    assert (spec.attack_steps, spec.crop_pad, spec.flip) == (10, 4, True)


def test_batchnorm_in_the_attack_is_the_sources_own():
    assert RECIPES["rice2020"].apply(OTHER).attack_bn == "train"
    assert RECIPES["sgls"].apply(OTHER).attack_bn == "eval"
    assert RECIPES["rice2020"].apply(OTHER).normalise
    assert not RECIPES["sgls"].apply(RunSpec()).normalise
