"""Learning rates against torch's schedulers and the formulas of their sources."""

import math

import numpy as np
import pytest
import torch
from toy_problems import random_dataset
from training_helpers import CPU, last_state, train

from rofit.progress import Report
from rofit.running.runner import build_training
from rofit.settings import choices
from rofit.settings.spec import RunSpec
from rofit.store.runs import read_rows
from rofit.training import loop
from rofit.training.schedules import SCHEDULES, learning_rate
from rofit.training.stop import Stop


def _rates(schedule, epochs, steps=4, lr=0.2):
    spec = RunSpec(schedule=schedule, epochs=epochs, lr=lr)
    return [
        learning_rate(spec, epoch, (step + 1) / steps)
        for epoch in range(epochs)
        for step in range(steps)
    ]


def test_settings_know_the_names():
    assert tuple(SCHEDULES) == choices.SCHEDULES


@pytest.mark.parametrize("epochs", [4, 7, 30, 100])
def test_one_cycle_is_torchs_stepped_epoch_by_epoch(epochs):
    weights = [torch.nn.Parameter(torch.zeros(1))]
    optimizer = torch.optim.SGD(weights, lr=0.2, momentum=0.9)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.2, total_steps=epochs
    )
    expected = []
    for epoch in range(epochs):
        expected += 4 * theirs.get_last_lr()
        optimizer.step()
        if epoch + 1 < epochs:
            theirs.step()
    assert _rates("one_cycle", epochs) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("epochs", [2, 7, 50])
def test_one_cycle_steps_is_torchs_stepped_batch_by_batch(epochs):
    """Off by less than a step: from the top on to the bit, before it a part of one."""
    steps = 20
    weights = [torch.nn.Parameter(torch.zeros(1))]
    optimizer = torch.optim.SGD(weights, lr=0.2, momentum=0.9)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.2, pct_start=0.25, steps_per_epoch=steps, epochs=epochs
    )
    expected = []
    for step in range(epochs * steps):
        expected += theirs.get_last_lr()
        optimizer.step()
        if step + 1 < epochs * steps:
            theirs.step()
    rates, top = _rates("one_cycle_steps", epochs, steps), epochs * steps // 4 - 1
    assert rates[top:] == pytest.approx(expected[top:], rel=1e-12)
    for step in range(top):
        assert expected[step] < rates[step] < expected[step + 1]


@pytest.mark.parametrize("epochs", [3, 30, 200])
@pytest.mark.parametrize(
    ("schedule", "formula"),
    [
        ("cosine", lambda t, E: 0.1 * (1 + np.cos(t / E * np.pi))),
        (
            "linear",
            lambda t, E: np.interp(
                [t], [0, E // 3, E * 2 // 3, E], [0.2, 0.2, 0.02, 0.002]
            )[0],
        ),
        ("cyclic", lambda t, E: np.interp([t], [0, E * 2 // 5, E], [0, 0.2, 0])[0]),
        (
            "piecewise",
            lambda t, E: 0.2 if t / E < 0.5 else 0.02 if t / E < 0.75 else 0.002,
        ),
    ],
)
def test_rates_are_those_of_rices_code_after_each_batch(schedule, formula, epochs):
    times = [epoch + (i + 1) / 4 for epoch in range(epochs) for i in range(4)]
    expected = [formula(t, epochs) for t in times]
    assert _rates(schedule, epochs) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("epochs", [1, 2, 3, 5])
def test_short_runs_have_rates_from_0_to_the_highest(schedule, epochs):
    rates = _rates(schedule, epochs)
    assert all(math.isfinite(rate) and 0 <= rate <= 0.2 + 1e-12 for rate in rates)


def test_a_run_logs_the_rate_of_each_epochs_last_step(smoke_spec, tmp_path):
    sizes = dict(train_size=48, val_size=8, test_size=8, batch_size=16, epochs=3)
    spec = smoke_spec(schedule="cyclic", lr=0.1, **sizes)
    folder, _ = train(spec, tmp_path)
    logged = [
        row["value"]
        for row in read_rows(folder.path)
        if row["metric"] == "learning_rate"
    ]
    expected = [learning_rate(spec, epoch) for epoch in range(3)]
    assert logged == pytest.approx(expected, rel=1e-12)
    (group,) = last_state(folder)["optimizer"]["param_groups"]
    assert logged[-1] == group["lr"] == 0


def test_every_step_is_made_at_its_own_rate(smoke_spec, monkeypatch):
    sizes = dict(train_size=48, val_size=8, test_size=8, batch_size=16)
    spec = smoke_spec(schedule="linear", epochs=3, **sizes)
    rates = []
    run, _ = build_training(spec, data=random_dataset(), device=CPU)
    monkeypatch.setattr(
        loop,
        "make_step",
        lambda run, *_: rates.append(run.optimizer.param_groups[0]["lr"]) or {},
    )
    for run.epoch in range(3):
        run.step = 0
        loop.train_epoch(run, Stop(), Report())
    steps = [(epoch, (i + 1) / 3) for epoch in range(3) for i in range(3)]
    assert rates == [learning_rate(spec, *step) for step in steps]
    assert len(set(rates)) > 6
