"""Our timed step does what the loop does, from the weights of the baseline."""

from copy import deepcopy

import pytest
import torch
from training_helpers import CPU, same

from rofit.bench import problem
from rofit.bench.plain import EPSILON, STEP_SIZE
from rofit.bench.problem import Ours, baseline, bench_spec, digits_32
from rofit.errors import UserError
from rofit.progress import Report
from rofit.settings.spec import RunSpec
from rofit.training.loop import train_epoch
from rofit.training.stop import Stop


@pytest.fixture(scope="module")
def data():
    return digits_32()


def test_what_is_timed_is_the_field_s_usual_run():
    spec, usual = bench_spec("preact_tiny", 16, lr=0.05), RunSpec()
    assert (spec.model, spec.batch_size, spec.lr) == ("preact_tiny", 16, 0.05)
    names = ("method", "attack_steps", "crop_pad", "flip", "threat", "step_size")
    for name in names:
        assert getattr(spec, name) == getattr(usual, name)
    assert (spec.epsilon, spec.step_size) == (EPSILON, STEP_SIZE)


@pytest.fixture
def spec():
    """Four batches of 16 images an epoch, and a shorter one that is left out."""
    return bench_spec("preact_tiny", 16, train_size=72, test_size=16, attack_steps=1)


def test_our_steps_are_those_of_the_training_loop(data, spec):
    """From the second batch on: the first one is held for the attack alone."""
    spec = spec.replace(train_size=64)
    ours, loop = (Ours(spec, data, CPU, "eager") for _ in range(2))
    for _ in range(3):
        ours.step()
    loop.run.epoch, loop.run.step = 0, 1
    train_epoch(loop.run, Stop(), Report())
    same(ours.run.model.state_dict(), loop.run.model.state_dict())


def test_our_steps_have_whole_batches_and_change_the_weights(data, spec):
    ours = Ours(spec, data, CPU, "eager")
    assert {len(next(ours.batches)[0].y) for _ in range(10)} == {16}
    before = deepcopy(dict(ours.run.model.named_parameters()))
    ours.step()
    for name, weight in ours.run.model.named_parameters():
        assert not torch.equal(weight, before[name]), name


def test_our_passes_change_nothing(data, spec):
    ours = Ours(spec, data, CPU, "eager")
    before = deepcopy(ours.run.model.state_dict())
    ours.passes(2)
    same(ours.run.model.state_dict(), before)
    assert all(p.grad is None for p in ours.run.model.parameters())


def test_attack_is_made_once_a_number_of_steps(data, spec, monkeypatch):
    ours = Ours(spec, data, CPU, "eager")
    made, called = [], []

    def noted(spec, steps, engine, *, captured):
        assert not captured
        made.append(steps)
        return lambda *given: called.append(steps)

    monkeypatch.setattr(problem, "make_attack", noted)
    for steps in (2, 3, 2, 2, 3):
        ours.passes(steps)
    assert made == [2, 3]
    assert called == [2, 3, 2, 2, 3]


@pytest.mark.parametrize("eval_mode", [True, False])
def test_baseline_begins_with_our_weights_in_the_layout_of_scripts(
    data, spec, eval_mode
):
    ours = Ours(spec, data, CPU, "eager")
    begun = deepcopy(ours.run.model.state_dict())
    ours.step()
    base = baseline(ours, data, eval_mode=eval_mode)
    same(dict(base.model.state_dict()), dict(begun))
    assert base.model.training and base.eval_mode is eval_mode and base.steps == 1
    assert base.model.stages[0][0].conv1.weight.is_contiguous()
    assert base.held[0].shape == (16, 3, 32, 32) and base.held[0].is_contiguous()


def test_batch_larger_than_the_training_part_is_refused(data, spec):
    with pytest.raises(UserError, match="trains on .* images; batch_size must not"):
        Ours(spec.replace(batch_size=100), data, CPU, "eager")
