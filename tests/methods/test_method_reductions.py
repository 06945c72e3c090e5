"""Methods that become others at the ends of their settings, bit for bit where they do.

Equal bits are asked for where the same kernels see the same numbers; where a loss is
the same in another form, both are trained in float64 and compared to rounding.
"""

from dataclasses import replace

import pytest
import torch
from toy_problems import random_dataset
from training_helpers import CPU, doubled, last_state, same, train

from rofit.attacks import geometry
from rofit.progress import Report
from rofit.running import runner
from rofit.training.batches import Batch
from rofit.training.loop import make_step, train_epoch
from rofit.training.plan import EpochPlan
from rofit.training.stop import Stop

SIZES = dict(train_size=48, val_size=16, test_size=0, batch_size=16, epochs=4, lr=0.05)
LAST = 3  # the last of four epochs: every label rule and every perturbation is active
# The same sums in another order, three steps long, in float64.
CLOSE = 1e-11
LATER_AWP = {"awp_gamma": 0.005, "awp_start": 0.045}  # as trades_awp has them


@pytest.fixture
def training(smoke_spec):
    """A function from a method, settings and parts to a training on noise images."""

    def make(method, labels="", weights=(), **settings):
        donors = {"labels_from": labels, "weights_from": weights}
        spec = smoke_spec(method=method, method_params=settings, **donors, **SIZES)
        return runner.build_training(spec, data=random_dataset(), device=CPU)[0]

    return make


def _trained(run, epochs=(LAST - 1, LAST)):
    """Train some epochs; return the run and the terms of each step."""
    terms = []
    for epoch in epochs:
        run.epoch, run.step = epoch, 0
        terms += train_epoch(run, Stop(), Report())
    return run, terms


def _totals(terms):
    return [sum(term.item() for term in step.values()) for step in terms]


def _same_training(one, other):
    """Assert that two trainings, averages included where both have one, end alike."""
    (run, terms), (twin, others) = _trained(one), _trained(other)
    assert _totals(terms) == _totals(others)
    same(run.model.state_dict(), twin.model.state_dict())
    state, expected = run.state_dict(), twin.state_dict()
    same(state["optimizer"], expected["optimizer"])
    same(state["curves"], expected["curves"])
    if type(run.method.labels) is type(twin.method.labels):
        same(state["labels"], expected["labels"])
    if run.method.average and twin.method.average:
        same(run.evaluated.state_dict(), twin.evaluated.state_dict())


def _parameters(run):
    return torch.cat([p.detach().flatten() for p in run.model.parameters()])


def _first_step(run):
    """Make one step on the first batch of an epoch, from a start of zero."""
    plan = EpochPlan(run.spec.seed, 0, len(run.train))
    batch = next(run.train.batches(run.spec, plan, begin=0))
    run.model.train()
    make_step(run, batch, torch.zeros_like(batch.x))


def _steps_in_double(run):
    """Make three steps in float64; return the weights and the last gradients."""
    doubled(run)
    run.epoch = LAST
    run.method.begin_epoch(LAST, SIZES["epochs"])
    run.model.train()
    stream = torch.Generator().manual_seed(0)
    for step in range(3):
        index = torch.randperm(len(run.train), generator=stream)[:8]
        x, y = run.train.unit()[index].double(), run.train.y[index]
        start = 2 * torch.rand(x.shape, generator=stream).double() - 1
        make_step(run, Batch(step, index, x, y), run.spec.epsilon * start)
    gradient = torch.cat([p.grad.flatten() for p in run.model.parameters()])
    return _parameters(run), gradient


def _same_to_rounding(one, other):
    for mine, expected in zip(
        _steps_in_double(one), _steps_in_double(other), strict=True
    ):
        assert (mine - expected).norm() <= CLOSE * expected.norm()


UNFLOORED = {"mlcat_floor": 0.0}
ADR_OFF = {"adr_first": 0.0, "adr_last": 0.0}
ADR_AS_WITH_AWP = {"adr_cool": 1.5, "adr_last": 0.85}
# A method with settings, and the one with settings that it then is.
BIT_FOR_BIT = [
    ("awp", {"awp_gamma": 0.0}, "pgd_at", {}),
    ("awp", {"awp_start": 1.0}, "pgd_at", {}),
    ("mlcat_wp", {"wp_gamma": 0.0}, "pgd_at", {}),
    ("mlcat_wp", {"wp_floor": 0.0}, "pgd_at", {}),
    ("mlcat_ls", UNFLOORED, "pgd_at", {}),
    ("mlcat_ls", UNFLOORED | {"mlcat_detach": False}, "pgd_at", {}),
    ("sglr", {"r": 0.0, "clean_share": 0.0}, "pgd_at", {}),
    ("sgls", {"start": 1.0}, "pgd_at", {}),
    ("adr", ADR_OFF | {"attack_labels": "given"}, "pgd_at", {}),
    ("sglr", {"r": 1.0}, "sgls", {}),
    ("sat", {"sat_start": 1.0}, "trades", {}),
    ("adr_awp", {"awp_gamma": 0.0}, "adr", ADR_AS_WITH_AWP),
    ("trades_awp", {"awp_start": 1.0}, "trades", {}),
    ("kd_swa", {"swa_start": 1.0}, "kd", {}),
]


@pytest.mark.parametrize(("name", "settings", "other", "others"), BIT_FOR_BIT)
def test_method_at_the_end_of_its_settings_is_another_bit_for_bit(
    training, name, settings, other, others
):
    """Two epochs: losses, weights, running statistics, momentum, curves."""
    _same_training(training(name, **settings), training(other, **others))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("te", {"te_weight": 0.0}),
        ("te", {"te_start": 1.0, "te_full": 1.0}),
        ("adr", ADR_OFF),
        ("kd", {"kd_given": 1.0, "kd_clean": 0.0, "kd_robust": 0.0}),
        ("sce", {"sce_forward": 1.0, "sce_reverse": 0.0}),
        ("label_smoothing", {"rho": 0.0, "attack_labels": "assigned"}),
    ],
)
def test_method_of_no_weight_is_pgd_at_to_rounding(training, name, settings):
    """Cross entropy with a class and with its one-hot label round differently."""
    _same_to_rounding(training(name, **settings), training("pgd_at"))


def test_trades_of_beta_0_trains_the_weights_of_standard_training(training):
    """Its second pass moves running statistics only: they count every step twice."""
    trades, terms = _trained(training("trades", beta=0.0))
    plain, others = _trained(training("standard"))
    assert _totals(terms) == _totals(others)
    assert torch.equal(_parameters(trades), _parameters(plain))
    for key, value in plain.model.state_dict().items():
        mine = trades.model.state_dict()[key]
        if key.endswith("num_batches_tracked"):
            assert mine == 2 * value == 12
        elif "running" in key:
            assert not torch.equal(mine, value), key
    one = training("trades", beta=0.0)  # a step: what the second pass adds is 0.1 of it
    other, inputs = training("standard"), []
    one.model.bn.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    for run in (one, other):
        _first_step(run)
    assert len(inputs) == 2
    expected = 0.9 * other.model.bn.running_mean + 0.1 * inputs[1].mean(dim=(0, 2, 3))
    assert torch.allclose(
        one.model.bn.running_mean, expected, rtol=0, atol=1e-6
    )  # float32


def test_sglr_of_given_labels_has_the_gradients_of_pgd_at(training):
    """One step: then its clean pass has moved the statistics that attacks look at."""
    runs = training("sglr", r=0.0), training("pgd_at")
    for run in runs:
        run.method.begin_epoch(LAST, SIZES["epochs"])
        _first_step(run)
    pairs = zip(*(run.model.parameters() for run in runs), strict=True)
    assert all(torch.equal(one.grad, other.grad) for one, other in pairs)
    means = [run.model.bn.running_mean for run in runs]
    assert not torch.equal(*means)


def test_average_of_decay_0_is_the_network_in_training(training):
    run, _ = _trained(training("weight_ema", ema_decay=0.0))
    same(run.evaluated.state_dict(), run.model.state_dict())
    assert run.evaluated is not run.model
    plain, _ = _trained(training("pgd_at"))
    same(run.model.state_dict(), plain.model.state_dict())


@pytest.mark.parametrize("name", ["adr_ema", "adr_ema_awp"])
def test_evaluated_network_of_adr_ema_is_its_teacher(training, name):
    run, _ = _trained(training(name))
    same(run.evaluated.state_dict(), run.method.labels.teacher.network.state_dict())


def test_mean_over_one_epoch_is_that_epochs_weights(smoke_spec, tmp_path):
    """BatchNorm's statistics are estimated anew, so they are not the plain twin's."""
    last = {"method": "swa", "method_params": {"swa_start": 0.5}, "epochs": 2}
    swa, plain = (
        last_state(train(smoke_spec(**changes), tmp_path)[0])
        for changes in (last, {"method": "pgd_at", "epochs": 2})
    )
    same(swa["trained"], plain["model"])
    assert swa["average"] == {"n": 1}
    for key, value in plain["model"].items():
        moves = "running" in key or "num_batches" in key
        assert torch.equal(swa["model"][key], value) == (not moves), key


# What is composed, with settings, and the method that is the same.
COMPOSED = [
    ("pgd_at", "sglr", (), {}, "sglr", {}),
    ("pgd_at", "sgls", (), {"start": 0.25}, "sgls", {"start": 0.25}),
    ("pgd_at", "label_smoothing", (), {}, "label_smoothing", {}),
    ("pgd_at", "adr", (), {}, "adr", {}),
    ("pgd_at", "", ("awp",), {}, "awp", {}),
    ("pgd_at", "", ("mlcat_wp",), {}, "mlcat_wp", {}),
    ("pgd_at", "", ("weight_ema",), {}, "weight_ema", {}),
    ("pgd_at", "", ("swa",), {}, "swa", {}),
    ("trades", "", ("awp",), LATER_AWP, "trades_awp", {}),
    ("kd", "", ("swa",), {}, "kd_swa", {}),
    ("adr", "", ("weight_ema",), {}, "adr_ema", {}),
    ("pgd_at", "adr", ("awp", "weight_ema"), {"awp_gamma": 0.005}, "adr_ema_awp", {
        "adr_cool": 2.0, "adr_last": 0.95,
    }),
]  # fmt: skip


@pytest.mark.parametrize(
    ("base", "labels", "weights", "settings", "name", "others"),
    COMPOSED,
    ids=lambda arg: arg if isinstance(arg, str) else "+".join(arg),
)
def test_method_of_parts_is_the_method_that_has_them(
    training, base, labels, weights, settings, name, others
):
    composed = training(base, labels, weights, **settings)
    _same_training(composed, training(name, **others))


def test_trades_on_sgls_labels_differs_from_trades_sgls_in_the_start_alone(training):
    composed, whole = training("trades", "sgls"), training("trades_sgls")
    assert composed.method.inner != whole.method.inner
    composed.method.inner = replace(composed.method.inner, start=geometry.start)
    assert composed.method.inner == whole.method.inner
    _same_training(composed, whole)
