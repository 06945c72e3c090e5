"""Steps whose batches are split over ranks, against those of one process, in float64.

All processes of a number of ranks are started once, and make the steps of every method.
"""

from functools import partial

import pytest
import torch
from gloo import on_ranks
from toy_problems import random_dataset
from training_helpers import CPU, doubled, with_double_inputs

from rofit.distributed.ranks import ALONE
from rofit.methods import METHODS
from rofit.progress import Report
from rofit.running import runner
from rofit.settings.recipes import RECIPES
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec
from rofit.training.loop import train_epoch
from rofit.training.stop import Stop

EPOCHS = 10
# Relative to the largest number of a tensor. Sums in another order differ by 1e-16;
# BatchNorm divides by small deviations, and three steps carry that on.
CLOSE = 1e-11
COUPLED = sorted(n for n, m in METHODS.items() if hasattr(m, "COUPLES"))
# Made on four ranks as well: 14 images in parts of 3, 4, 3, 4, the last batch of 10.
OF_FOUR = ["adr_ema_awp", "awp", "pgd_at", "sgls", "te"]
BESIDE = {
    "attack in train mode": ("pgd_at", {"attack_bn": "train"}),
    "extra passes": ("pgd_at", {"extra_passes": ("adversarial", "clean_after_step")}),
    "mixed images": ("pgd_at", {"augment": "mixup"}),
    "pasted images": ("awp", {"augment": "cutmix"}),
    "l2": ("trades", {"norm": "l2", "epsilon": 0.5, "nesterov": True}),
    "crops and flips": ("sgls", {"crop_pad": 2, "flip": True}),
}
CASES = {name: (name, {}) for name in METHODS if name not in COUPLED} | BESIDE


def _trained(name, ranks):
    """Return weights, label tables and averages after the late epoch of a case."""
    method, changes = CASES[name]
    spec = SCALES["smoke"].apply(RECIPES["sgls"].apply(RunSpec(method=method)))
    sizes = dict(train_size=38, val_size=8, test_size=8, batch_size=14, epochs=EPOCHS)
    spec = spec.replace(model="preact_tiny", width=4, **sizes, **changes)
    made, _ = runner.build_training(
        spec, data=random_dataset(), device=CPU, ranks=ranks
    )
    run = with_double_inputs(doubled(made))
    run.epoch = EPOCHS - 1
    terms = train_epoch(run, Stop(), Report())
    run.close_epoch()
    state = run.state_dict()
    kept = ("model", "trained", "labels", "curves")
    return dict(_tensors({key: state[key] for key in kept if key in state})) | {
        "terms": torch.tensor([[*step.values()] for step in terms])
    }


def _tensors(state, path=""):
    for key, value in state.items():
        if isinstance(value, dict):
            yield from _tensors(value, f"{path}/{key}")
        elif isinstance(value, torch.Tensor):
            yield f"{path}/{key}", value


def _all(names, ranks):
    return {name: _trained(name, ranks) for name in names}


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    """By number of ranks: what each of them has, by case."""
    folder = tmp_path_factory.mktemp("ranks")
    return {
        2: on_ranks(2, partial(_all, [*CASES]), folder),
        4: on_ranks(4, partial(_all, OF_FOUR), folder),
    }


@pytest.fixture(scope="module")
def whole():
    """A function from a case to what one process has, made once."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = _trained(name, ALONE)
        return made[name]

    return get


ON_RANKS = [(2, name) for name in CASES] + [(4, name) for name in OF_FOUR]


@pytest.mark.parametrize(("count", "name"), ON_RANKS)
def test_split_steps_are_those_of_one_process(split, whole, count, name):
    expected, (first, *_) = whole(name), split[count]
    assert first[name].keys() == expected.keys()
    for key, value in expected.items():
        scale = value.abs().max().clamp_min(1e-3)
        apart = (first[name][key] - value).abs().max()
        assert apart <= CLOSE * scale, (key, float(apart / scale))


@pytest.mark.parametrize(("count", "name"), ON_RANKS)
def test_ranks_have_the_same_bits(split, count, name):
    first, *others = split[count]
    for other in others:
        for key, value in first[name].items():
            assert torch.equal(other[name][key], value), key
