"""The recipe as_released sets what the scripts and configurations of releases say."""

import json
import math
from dataclasses import fields

import pytest
from command_line import rofit

from rofit.errors import UserError
from rofit.methods import METHODS
from rofit.methods.released import RELEASED, as_released
from rofit.settings.knobs import knob_types
from rofit.settings.recipes import RECIPES
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec
from rofit.training.schedules import learning_rate

FIELDS = {field.name: field.default for field in fields(RunSpec)}
DRY = ("train", "--dry-run", "--json", "--recipe", "as_released")


def _rates(method, share=1.0):
    """Return the rates of all epochs, at their last step or after a share of them."""
    spec = as_released(RunSpec(method=method))
    return [learning_rate(spec, epoch, share) for epoch in range(spec.epochs)]


def _adjusted(lr, milestones, epochs):
    """adjust_learning_rate of TRADES, MART and TRADES-AWP: epochs count from 1."""
    passed = (sum(epoch >= m for m in milestones) for epoch in range(1, epochs + 1))
    return [lr * 0.1**drops for drops in passed]


def _multi_step(lr, milestones, epochs):
    """torch's MultiStepLR stepped after each epoch."""
    return [lr * 0.1 ** sum(epoch >= m for m in milestones) for epoch in range(epochs)]


RATES = {
    "pgd_at": _multi_step(0.1, (100, 150), 200),
    "awp": _multi_step(0.1, (100, 150), 200),
    "mlcat_ls": _multi_step(0.1, (100, 150), 200),
    "mlcat_wp": _multi_step(0.1, (100, 150), 200),
    "adr": _multi_step(0.1, (100, 150), 200),
    "adr_ema_awp": _multi_step(0.1, (100, 150), 200),
    "weight_ema": _multi_step(0.1, (100, 150), 200),
    "te": _multi_step(0.1, (100, 150), 200),
    "kd": _multi_step(0.1, (50, 150), 200),
    "swa": _multi_step(0.1, (50, 150), 200),
    "trades": _adjusted(0.1, (75, 90, 100), 76),
    "trades_awp": _adjusted(0.1, (100, 150), 200),
    "mart": _adjusted(0.01, (75, 90, 100), 120),
    "sat": _adjusted(0.1, (75, 90, 100), 100),
    "sgls": _adjusted(0.1, (100, 150), 200),
    "fgsm_pgi": _multi_step(0.1, (100, 105), 110),
    "rslad": _multi_step(0.1, (215, 260, 285), 300),
    "ard": _multi_step(0.1, (100,), 200),
    "rebat": [0.1] * 100 + [0.1 / 1.5] * 50 + [0.1 / 1.5**2] * 50,
}


@pytest.mark.parametrize("method", RATES)
def test_rate_of_every_epoch_is_the_scripts(method):
    assert _rates(method, share=0.5) == pytest.approx(RATES[method], rel=1e-12)


@pytest.mark.parametrize(("method", "low"), [("pgd_at", 0.1), ("rebat", 2 / 3)])
def test_last_batch_before_a_drop_has_the_lower_rate_in_rices_code(method, low):
    rates = _rates(method)
    assert rates[98:100] == pytest.approx([0.1, 0.1 * low], rel=1e-12)
    assert rates[148:150] == pytest.approx([0.1 * low, 0.1 * low**2], rel=1e-12)


def test_hat_has_the_schedule_of_the_recipe_of_its_paper():
    """Which is held to torch's one cycle beside the recipes."""
    fields = RECIPES["rade2022"].changes.keys()
    spec = as_released(RunSpec(method="hat")).as_dict()
    recipe = RECIPES["rade2022"].apply(RunSpec()).as_dict()
    assert {key: spec[key] for key in fields} == {key: recipe[key] for key in fields}


def _cyclic(lr, epochs, steps, *, up, down):
    """CyclicLR from 0, of epochs up and down, as N-FGSM's and NuAT's code make it."""
    done = [step / steps for step in range(epochs * steps)]
    return [lr * min(t / up, 1 - (t - up) / down) for t in done]


def _nuat():
    """The cycle for 80 epochs; then its rate, for 6 epochs, a tenth of it, ..."""
    cycle = _cyclic(0.1, 80, 20, up=40, down=50)
    return cycle + [0.02] * 120 + [0.002] * 100 + [0.0002] * 180


def _by_epoch(lr, epochs, steps):
    """adjust_learning_rate_cosine of IKL: epochs count from 1."""
    waves = [1 + math.cos(math.pi * e / (epochs + 1)) for e in range(1, epochs + 1)]
    return [0.5 * lr * wave for wave in waves for _ in range(steps)]


NEAR = {  # the code's rates of all steps; how far ours are, over the largest, and why
    "n_fgsm": (_cyclic(0.2, 30, 20, up=15, down=15), 0.204),  # where the top is
    "nuat": (_nuat(), 0.216),  # where the end is
    "ikl": (_by_epoch(0.2, 200, 20), 0.009),  # an epoch
}


@pytest.mark.parametrize("method", NEAR)
def test_rate_of_every_step_is_near_the_scripts(method):
    """As near as the method's docstring says."""
    expected, apart = NEAR[method]
    spec = as_released(RunSpec(method=method))
    rates = [
        learning_rate(spec, epoch, (step + 1) / 20)
        for epoch in range(spec.epochs)
        for step in range(20)
    ]
    assert max(rates) == pytest.approx(max(expected), rel=1e-4)
    distances = [abs(a - b) for a, b in zip(rates, expected, strict=True)]
    assert max(distances) < apart * max(rates)


ATTACKS = {  # radius, step, weight decay
    "trades": (0.031, 0.007, 2e-4),
    "sat": (0.031, 0.007, 2e-4),
    "mart": (0.031, 0.007, 3.5e-3),
    "rslad": (8 / 255, 2 / 255, 2e-4),
    "ard": (8 / 255, 2 / 255, 2e-4),
    "ikl": (8 / 255, 4 / 255, 5e-4),
}
SIZES = {"nuat": (64, 10), "ikl": (128, 5)}  # of a batch; steps of an attack


@pytest.mark.parametrize("method", RELEASED)
def test_threat_batch_and_optimizer_are_the_scripts(method):
    spec = as_released(RunSpec(method=method))
    attack = ATTACKS.get(method, (8 / 255, 2 / 255, 5e-4))
    assert (spec.epsilon, spec.step_size, spec.weight_decay) == attack
    assert (spec.batch_size, spec.attack_steps) == SIZES.get(method, (128, 10))
    assert spec.momentum == 0.9


@pytest.mark.parametrize("method", RELEASED)
def test_release_declares_what_differs_and_leaves_data_and_model(method):
    left = {"method", "method_params", "dataset", "dataset_digest", "model", "seed"}
    changes, params = RELEASED[method], METHODS[method].Params()
    assert not left & changes.keys()
    for key, value in changes.items():
        default = FIELDS[key] if key in FIELDS else getattr(params, key)
        assert value != default, key
    assert changes.keys() <= FIELDS.keys() | knob_types(METHODS[method].Params).keys()


@pytest.mark.parametrize("method", sorted(METHODS.keys() - RELEASED.keys()))
def test_method_without_released_code_is_refused_with_those_that_have_some(method):
    with pytest.raises(
        UserError, match=rf"\(adr, .*weight_ema\); of {method} rofit has none"
    ):
        as_released(RunSpec(method=method))


def _run(tmp_path, *words):
    answer = rofit(tmp_path, *DRY, *words)
    assert answer.code == 0, answer.err
    (row,) = json.loads(answer.out)["runs"]
    return row["run"]


@pytest.mark.parametrize("method", ["trades", "mart_sgls"])
def test_recipe_is_that_of_the_method_however_it_is_named(tmp_path, method):
    expected = as_released(RunSpec(method=method)).run_id
    by_flag = _run(tmp_path, "--scale", "paper", "--method", method)
    by_setting = _run(tmp_path, "--scale", "paper", "--set", f"method={method}")
    assert by_flag == by_setting == expected


def test_recipe_without_a_method_is_rices(tmp_path):
    assert _run(tmp_path, "--scale", "paper") == as_released(RunSpec()).run_id


def test_scale_says_how_big_and_settings_have_the_last_word(tmp_path):
    words = ("--method", "trades", "--scale", "smoke")
    sized = SCALES["smoke"].apply(as_released(RunSpec(method="trades")))
    assert _run(tmp_path, *words) == sized.run_id
    expected = sized.replace(epsilon=8 / 255, method_params={"beta": 3.0})
    words += ("--set", "epsilon=8/255", "--set", "beta=3")
    assert _run(tmp_path, *words) == expected.run_id


def test_recipe_of_a_spec_files_method_forgets_another_methods_parameters(tmp_path):
    file = tmp_path / "spec.json"
    spec = RunSpec(method="sglr", method_params={"r": 0.5}, seed=3)
    file.write_text(json.dumps(spec.as_dict()))
    expected = as_released(RunSpec(method="mart_sgls", seed=3)).run_id
    assert _run(tmp_path, "--spec", file, "--method", "mart_sgls") == expected


def test_recipe_of_a_method_of_ours_is_refused_in_one_sentence(tmp_path):
    answer = rofit(tmp_path, *DRY, "--scale", "smoke", "--method", "sglr")
    assert answer.code == 2 and answer.err.count("\n") == 1
    assert (
        "rofit: recipe as_released is of methods whose code is released" in answer.err
    )
    slip = rofit(tmp_path, *DRY[:-1], "as_release", "--scale", "smoke")
    assert slip.code == 2 and "did you mean as_released?" in slip.err
