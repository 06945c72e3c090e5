"""Trainings beside their slow twins in float64, and how near the two must be."""

import pytest
import torch
from slow_methods import SLOW
from slow_run import SlowRun
from toy_problems import random_dataset
from training_helpers import CPU, doubled

from rofit.methods import find_kind
from rofit.running import runner
from rofit.training import checkpoint
from rofit.training.batches import Batch
from rofit.training.loop import make_step

EPOCHS, B, STEPS = 10, 6, 3
LATE, EARLY = EPOCHS - 1, 0
# Both are float64 and differ in the order of their sums: 1e-14, and 4e-12 where the
# first gradient of an attack is of a divergence that is nearly 0.
CLOSE = 1e-10
# The floor of the label is clamped in float32, so its logarithm is known to 1e-7; the
# direction of a divergence's first gradient to 2e-11 in l2 (3e-14 from starts of 100
# times the length), which the way to the helpers makes 8e-10 (3e-13) in three steps.
LOOSER = {("sce", "linf"): 1e-6, ("hat", "l2"): 1e-8}


def paired(smoke_spec, folder, name, norm="linf", epoch=LATE, more=None, recipe=None):
    """Return a training of a method and its slow twin, both at that epoch.

    Teachers' checkpoints come into *folder*; *recipe* changes the spec before sizes.
    """
    settings = SLOW[name].s | (more or {})
    radius = {"norm": norm, "epsilon": 0.1, "step_size": 0.05}
    if norm == "l2":
        radius |= {"epsilon": 0.6, "step_size": 0.4}
    sizes = dict(train_size=48, val_size=16, test_size=0, batch_size=16, lr=0.05)
    spec = smoke_spec(method=name, **sizes)
    spec = recipe(spec) if recipe else spec
    settings |= dict(spec.method_params)
    spec = spec.replace(method_params=settings, epochs=EPOCHS, **radius, **sizes)
    data, paths = random_dataset(), {}
    if names := find_kind(spec).teachers:
        run, _ = runner.build_training(spec, data=data, device=CPU)
        paths = _taught_by(run, names, folder)
    run, _ = runner.build_training(spec, data=data, device=CPU, taught_by=paths)
    doubled(run)
    stream = torch.Generator().manual_seed(9)
    for tensor in run.method.inner.state_dict().values():  # of earlier epochs
        drawn = torch.randn(tensor.shape, generator=stream, dtype=tensor.dtype)
        tensor.copy_(0.02 * drawn)
    run.epoch = epoch
    run.method.begin_epoch(epoch, EPOCHS)
    run.model.train()
    states = [checkpoint.load(path, CPU)["model"] for path in paths.values()]
    return run, SlowRun(SLOW[name], settings, run, states)


def _taught_by(run, names, folder):
    """Write checkpoints beside *run*'s network; return their paths by name."""
    paths = {}
    for seed, name in enumerate(names):
        stream = torch.Generator().manual_seed(seed)
        state = {
            key: value + 0.02 * torch.randn(value.shape, generator=stream).abs()
            if value.is_floating_point()
            else value
            for key, value in run.model.state_dict().items()
        }
        paths[name] = folder / f"{name}.pt"
        checkpoint.save({"model": state}, paths[name])
    return paths


def make_steps(run, slow, steps=STEPS):
    """Make the steps of both, their losses compared; begin an epoch of three."""
    tolerance = LOOSER.get((run.spec.method, run.spec.norm), CLOSE)
    for number in range(steps):
        run.step = number
        batch, start = _batch(run, number, slow.how)
        total = sum(term.item() for term in make_step(run, batch, start).values())
        expected = slow.step(number, batch.x, batch.y, batch.index, start)
        assert total == pytest.approx(expected, rel=tolerance), f"loss of step {number}"
    return tolerance


def _batch(run, number, how):
    """Return other images than those of the step before, with starts in float64."""
    stream = torch.Generator().manual_seed(number)
    index = torch.randperm(len(run.train), generator=stream)[:B]
    x = run.train.unit()[index].double()
    x = (x + 0.1 * torch.rand(x.shape, generator=stream)) / 1.1
    start = torch.randn(x.shape, generator=stream).double() / 8  # of length about 1
    start = start * (0.008 if how.near else how.reach * run.spec.epsilon)
    return Batch(number, index, x, run.train.y[index]), start


def assert_near(actual, expected, tolerance, what):
    """Compare by length: a number that should be 0 has no relative error."""
    apart = torch.linalg.vector_norm((actual - expected).double())
    assert apart <= tolerance * torch.linalg.vector_norm(expected.double()), what


def assert_same_state(actual, expected, tolerance, what):
    """Compare weights and statistics of two networks, tensor by tensor."""
    actual = actual.state_dict()
    for key, value in expected.state_dict().items():
        assert_near(actual[key], value, tolerance, f"{what}: {key}")
