"""Runs as released, against the released codes' loops, written out in float64."""

from copy import deepcopy

import numpy as np
import pytest
import released_codes
import released_single_steps
import released_teachers
import torch
from released_codes import ALPHA, DECAY, EPSILON, FLOOR, LR, SGD
from toy_problems import random_dataset, random_images
from training_helpers import doubled

from rofit.methods.released import as_released
from rofit.running import runner
from rofit.settings.spec import RunSpec
from rofit.training.batches import Batch, DeviceImages
from rofit.training.loop import make_step
from rofit.training.plan import EpochPlan

CPU = torch.device("cpu")
B, STEPS = 6, 3
CLOSE = 1e-10
CODES = released_codes.CODES | released_single_steps.CODES | released_teachers.CODES
PARAMS = {
    "mlcat_wp": {"wp_floor": FLOOR},
    "mlcat_ls": {"mlcat_floor": FLOOR},
    "fgsm_pgi": {"pgi_given": released_single_steps.GIVEN},
}
NESTEROV = ("adr", "hat")
# Of starts: in the ball but where the code begins near, or outside.
SCALES = dict.fromkeys(("trades", "hat", "rslad", "ikl"), 0.02)
SCALES["n_fgsm"] = 2 * EPSILON


def _run(smoke_spec, method, **changes):
    """Return a training as released at the size of the tests, in float64."""
    spec = as_released(smoke_spec(method=method))
    sizes = dict(train_size=48, val_size=16, test_size=0, batch_size=16, epochs=10)
    threat = dict(epsilon=EPSILON, step_size=ALPHA, lr=LR, weight_decay=DECAY)
    params = dict(spec.method_params) | PARAMS.get(method, {})
    spec = spec.replace(**sizes | threat | {"method_params": params} | changes)
    run = doubled(runner.build_training(spec, data=random_dataset(), device=CPU)[0])
    _disturb(run)
    run.epoch = 9
    run.method.begin_epoch(9, 10)
    run.model.train()
    return run


def _disturb(run):
    """Let teachers be no copies, priors no zeros and classes not all alike."""
    stream = torch.Generator().manual_seed(9)
    teachers = [network for network, _ in getattr(run.method.labels, "teachers", ())]
    tensors = [weight.data for network in teachers for weight in network.parameters()]
    for tensor in (*tensors, *run.method.inner.state_dict().values()):
        tensor += 0.02 * torch.randn(tensor.shape, generator=stream)
    if run.spec.method == "ikl":
        run.method.labels.sums += torch.rand((10, 10), generator=stream)


def _batches(run, scale):
    """Yield three batches with black and white pixels, and starts of that scale."""
    for number in range(STEPS):
        stream = torch.Generator().manual_seed(number)
        index = torch.randperm(len(run.train), generator=stream)[:B]
        x = (1.6 * run.train.unit()[index].double() - 0.3).clamp(0, 1)
        start = 2 * torch.rand(x.shape, generator=stream).double() - 1
        yield Batch(number, index, x, run.train.y[index]), scale * start


@pytest.mark.parametrize("method", CODES)
def test_three_steps_are_those_of_the_released_loop(smoke_spec, method):
    """Weights, statistics, averages, priors; the random start is all that is given."""
    run = _run(smoke_spec, method)
    net, code = deepcopy(run.model), CODES[method](run)
    opt = SGD(net, nesterov=method in NESTEROV)
    for batch, start in _batches(run, SCALES.get(method, EPSILON)):
        run.step = batch.step
        make_step(run, batch, start)
        code(net, opt, batch.x, batch.y, start, batch)
    _same(run.model.state_dict(), net.state_dict())
    _same(run.method.inner.state_dict(), getattr(code, "remembered", {}))
    if run.method.average:
        _same(run.method.average.network.state_dict(), code.model_wa.state_dict())
    assert net.stem.weight.isfinite().all()


def _same(actual, expected):
    assert actual.keys() == expected.keys()
    for key, value in actual.items():
        apart = (value - expected[key]).double().norm()
        assert apart <= CLOSE * expected[key].double().norm(), key


PASSES = {"pgd_at": 5, "trades": 3, "n_fgsm": 2, "fgsm_pgi": 3, "nuat": 3, "hat": 3}
PASSES |= {"ard": 4, "rslad": 2, "rebat": 5, "ikl": 2}


@pytest.mark.parametrize(("method", "passes"), PASSES.items())
def test_number_of_train_mode_passes_a_step(smoke_spec, method, passes):
    """Rice et al.: every step of the attack, its last look, the step, the clean one.

    ReBAT does so too. ARD: every step of the attack, and both batches.
    """
    run = _run(smoke_spec, method)
    (batch, start), *_ = _batches(run, EPSILON)
    counters = [b for n, b in run.model.named_buffers() if n.endswith("tracked")]
    make_step(run, batch, start)
    assert {int(counter) for counter in counters} == {passes}


def test_crops_as_released_by_rice_are_cut_from_mirrored_images():
    """numpy's reflection, as in their pad(); corners and edges included."""
    images = DeviceImages(random_images(23, channels=3), CPU)
    spec = as_released(RunSpec(crop_pad=3, batch_size=5))
    plan = EpochPlan(0, 4, 23)
    (batch,) = images.batches(spec.replace(batch_size=23), plan, begin=0)
    wide = np.pad(images.pixels.numpy(), [(0, 0), (0, 0), (3, 3), (3, 3)], "reflect")
    windows = np.lib.stride_tricks.sliding_window_view(wide, (8, 8), axis=(2, 3))
    edges = 0
    for x, i in zip(batch.x.numpy(), batch.index.tolist(), strict=True):
        crops = {}
        for down in range(7):
            for right in range(7):
                crop = windows[i, :, down, right] / np.float32(255)
                crops[down, right, False] = crop
                crops[down, right, True] = crop[:, :, ::-1]
        places = [place for place, crop in crops.items() if np.array_equal(crop, x)]
        assert len(places) == 1
        edges += places[0][:2] != (3, 3)
    assert edges > 15


LENGTHS = {  # of a start over the radius, the least and the largest of 48
    ("pgd_at", "l2"): (0.0, 0.5, 0.9, 1.0),  # uniform
    ("sgls", "l2"): (0.8, 1.0, 0.9, 1.0),  # u^(1/64): in the ball
    ("te", "l2"): (0.01, 0.016, 0.016, 0.03),  # 0.001 sqrt(64) over 0.5
    ("trades", "l2"): (0.01, 0.016, 0.016, 0.03),
}


@pytest.mark.parametrize(("method", "norm"), LENGTHS)
def test_starts_in_l2_are_those_of_the_code(smoke_spec, method, norm):
    run = _run(smoke_spec, method, norm=norm, epsilon=0.5)
    starts = torch.cat([start for _, start in run.batches(run.plan())])
    lengths = starts.flatten(1).norm(dim=1) / 0.5
    low, high, lower, upper = LENGTHS[method, norm]
    assert low <= lengths.min() <= high and lower <= lengths.max() <= upper


def test_starts_in_linf_stay_as_they_are(smoke_spec):
    run = _run(smoke_spec, "pgd_at")
    own = run.spec.replace(l2_start="ball")
    other, _ = runner.build_training(own, data=random_dataset(), device=CPU)
    other.epoch = run.epoch
    pairs = zip(run.batches(run.plan()), other.batches(other.plan()), strict=True)
    assert all(torch.equal(a, b) for (_, a), (_, b) in pairs)
