"""A recipe is what its source published, epoch by epoch."""

import re
from dataclasses import fields

import pytest
import torch
from command_line import rofit
from toy_problems import conv_net

from rofit.attacks.pgd import PGD
from rofit.losses import soft_cross_entropy
from rofit.methods import METHODS, Context, find_kind, make_params
from rofit.methods.resolve import override
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


def test_pang2021_drops_the_rate_after_100_and_105_of_110_epochs():
    spec = RECIPES["pang2021"].apply(RunSpec())
    rates = [learning_rate(spec, epoch) for epoch in range(spec.epochs)]
    expected = [0.1] * 100 + [0.01] * 5 + [0.001] * 5
    assert rates == pytest.approx(expected, rel=1e-12)
    assert (spec.crop_fill, spec.normalise, spec.attack_bn) == ("reflect", True, "eval")


def test_rade2022_is_torchs_one_cycle_of_50_epochs_but_for_a_step():
    """Of 391 steps each, its top after a quarter; 7e-5 is what a step changes most."""
    spec = RECIPES["rade2022"].apply(RunSpec())
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.21)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=0.21,
        pct_start=0.25,
        steps_per_epoch=391,
        epochs=50,
        cycle_momentum=False,
    )
    for step in range(50 * 391):
        rate = learning_rate(spec, step // 391, (step % 391 + 1) / 391)
        assert rate == pytest.approx(theirs.get_last_lr()[0], abs=7e-5)
        optimizer.step()
        if step + 1 < 50 * 391:
            theirs.step()
    assert (spec.epochs, spec.normalise, spec.attack_bn) == (50, False, "eval")


def test_fastat2026_is_torchs_one_cycle_of_100_epochs():
    spec = RECIPES["fastat2026"].apply(RunSpec())
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.1, total_steps=100, cycle_momentum=False
    )
    for epoch in range(100):
        rate = learning_rate(spec, epoch, 0.5)
        assert rate == pytest.approx(theirs.get_last_lr()[0], rel=1e-12)
        optimizer.step()
        if epoch < 99:
            theirs.step()
    assert (spec.epochs, spec.normalise, spec.attack_bn) == (100, False, "eval")


def test_fastat2026_names_the_command_of_its_labels_and_average(tmp_path):
    """Of a method in its differs: smoothing 0.4, an average of decay 0.9995."""
    command = re.search(r"rofit (train [^(;]+)", RECIPES["fastat2026"].differs)[1]
    answer = rofit(tmp_path, *command.split(), "--scale", "smoke", "--dry-run")
    assert answer.code == 0, answer.err
    words = command.replace("--set", "").split()
    settings = dict(word.split("=") for word in words if "=" in word)
    spec = RECIPES["fastat2026"].apply(RunSpec(method="label_smoothing"))
    spec = override(spec.replace(weights_from=("weight_ema",)), settings)
    assert dict(spec.method_params) == {"rho": 0.4, "ema_decay": 0.9995}
    attack, y = PGD(spec.threat, 0, 0.0), torch.tensor([0, 1])
    kind = find_kind(spec)
    params = make_params(kind, dict(spec.method_params))
    method = kind.build(params, Context(attack, y, 10, conv_net()))
    assert method.average.decay == 0.9995
    # torch's CrossEntropyLoss(label_smoothing=0.4) trains on 0.6 y + 0.04.
    soft = method.labels.current(torch.arange(2), y)
    logits = torch.randn(2, 10, generator=torch.Generator().manual_seed(0))
    smoothed = torch.nn.CrossEntropyLoss(label_smoothing=0.4, reduction="none")
    theirs = smoothed(logits, y)
    torch.testing.assert_close(soft_cross_entropy(logits, soft), theirs)


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

    All recipes rely on those that they do not set, so none of them may drift.
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
