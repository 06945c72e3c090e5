"""One whole step against docs/method.md, "SGLS, the first release", in float64."""

from copy import deepcopy

import pytest
import torch
from toy_problems import random_dataset
from training_helpers import doubled

from rofit.methods import METHODS
from rofit.progress import Report
from rofit.running import runner
from rofit.training.batches import Batch
from rofit.training.loop import make_step, train_epoch
from rofit.training.stop import Stop

CPU = torch.device("cpu")
INDEX = torch.tensor([3, 40, 7, 22, 11, 0, 35, 8])


@pytest.fixture
def training(smoke_spec):
    """A function from changes of the spec to a training on noise images."""

    def make(**changes):
        sizes = dict(train_size=48, val_size=16, test_size=0, batch_size=16)
        spec = smoke_spec(**sizes | changes)
        made, _ = runner.build_training(
            spec, data=random_dataset(), device=CPU, diagnostics=("gradient_norm",)
        )
        return made

    return make


def _batch(run):
    """Return eight images with starts inside the ball, in float64."""
    x = run.train.unit()[INDEX].double()
    stream = torch.Generator().manual_seed(5)
    start = run.spec.epsilon * (2 * torch.rand(x.shape, generator=stream) - 1).double()
    return Batch(0, INDEX, x, run.train.y[INDEX]), start


def _slow_sgls(run, batch, start, *, refining):
    """Return network and table after one step of SGLS, with r = 1."""
    net, spec = deepcopy(run.model), run.spec
    table = torch.eye(10, dtype=torch.float64)[run.train.y]
    hard = torch.eye(10, dtype=torch.float64)[batch.y]
    x = batch.x
    net.eval()
    x_adv = (x + start).clamp(0, 1)
    for _ in range(spec.attack_steps):
        x_adv.requires_grad_()
        loss = -(hard * net(x_adv).log_softmax(1)).sum()
        step = spec.step_size * torch.autograd.grad(loss, x_adv)[0].sign()
        x_adv = (x_adv.detach() + step).minimum(x + spec.epsilon)
        x_adv = x_adv.maximum(x - spec.epsilon).clamp(0, 1)
    net.train()
    logits = net(x_adv)
    if refining:
        p_cln = net(x).softmax(1).detach()
        q = 0.2 * p_cln + 0.8 * logits.softmax(1).detach()
        table[batch.index] = 0.9 * table[batch.index] + 0.1 * q
    loss = -(table[batch.index] * logits.log_softmax(1)).sum() / len(x)
    gradients = torch.autograd.grad(loss, list(net.parameters()))
    with torch.no_grad():  # the first step: the momentum buffer is the gradient
        for weight, gradient in zip(net.parameters(), gradients, strict=True):
            weight -= spec.lr * (gradient + spec.weight_decay * weight)
    return net, table, loss.detach()


@pytest.mark.parametrize("refining", [False, True])
def test_step_of_sgls_equals_the_papers_algorithm(training, refining):
    run = doubled(training(method="sgls"))
    run.method.labels.begin_epoch(1 if refining else 0, 2)
    run.model.train()
    batch, start = _batch(run)
    net, table, loss = _slow_sgls(run, batch, start, refining=refining)
    terms = make_step(run, batch, start)
    assert terms["cross_entropy"].item() == pytest.approx(loss.item(), rel=1e-12)
    assert torch.allclose(run.method.labels.average, table, atol=1e-12)
    actual = run.model.state_dict()
    for key, expected in net.state_dict().items():  # BatchNorm's statistics as well
        assert torch.allclose(actual[key], expected, atol=1e-10), key


@pytest.mark.parametrize(("epoch", "passes"), [(0, 1), (1, 2)])
def test_batchnorm_sees_the_clean_batch_too_while_labels_are_refined(
    training, epoch, passes
):
    run = training(method="sgls")
    run.epoch = epoch
    train_epoch(run, Stop(), Report())
    counts = [
        value.item()
        for key, value in run.model.state_dict().items()
        if key.endswith("num_batches_tracked")
    ]
    assert counts and set(counts) == {passes * 3}


def _trained(run):
    """Train the second of two epochs: the one in which labels are refined."""
    run.epoch = 1
    terms = train_epoch(run, Stop(), Report())
    return terms, run.model.state_dict(), run.method.labels.state_dict()["average"]


def test_sglr_with_nothing_of_the_given_label_is_sgls(training):
    sgls = _trained(training(method="sgls"))
    sglr = _trained(training(method="sglr", method_params=(("r", 1.0),)))
    assert torch.equal(sgls[2], sglr[2])
    for key, value in sgls[1].items():
        assert torch.equal(value, sglr[1][key]), key
    other = _trained(training(method="sglr"))[1]
    assert any(not torch.equal(value, other[key]) for key, value in sgls[1].items())


@pytest.mark.parametrize("r", [0.25, 0.8])
def test_without_history_the_whole_gradient_is_plain_training_scaled(training, r):
    """Self-refinement alone changes no direction, on a real network too."""
    params = (("r", r), ("label_momentum", 0.0), ("clean_share", 0.0))
    scaled = doubled(training(method="sglr", method_params=params))
    plain = doubled(training(method="pgd_at"))
    for run in (scaled, plain):
        run.method.labels.begin_epoch(1, 2)
        run.model.train()
        make_step(run, *_batch(run))
    pairs = zip(scaled.model.parameters(), plain.model.parameters(), strict=True)
    for one, other in pairs:
        assert torch.allclose(one.grad, (1 - r) * other.grad, atol=1e-12)


NEUTRAL = {"label_smoothing": (("rho", 0.0),), "sglr": (("r", 0.0),), "pgd_at": ()}


@pytest.mark.parametrize("name", NEUTRAL)
def test_method_that_changes_no_label_is_plain_adversarial_training(training, name):
    """sglr's clean pass moves running statistics only, not this step's gradient."""
    runs = [
        doubled(training(method=method, method_params=params))
        for method, params in ((name, NEUTRAL[name]), ("sgls", (("start", 1.0),)))
    ]
    for run in runs:
        run.method.labels.begin_epoch(1, 2)
        run.model.train()
        make_step(run, *_batch(run))
    pairs = zip(*(run.model.parameters() for run in runs), strict=True)
    assert all(torch.allclose(a.grad, b.grad, atol=1e-14) for a, b in pairs)


@pytest.mark.parametrize("method", METHODS)
def test_training_draws_nothing_from_the_global_stream(training, method):
    run = training(method=method)
    before = torch.get_rng_state()
    run.epoch = 1
    train_epoch(run, Stop(), Report())
    assert torch.equal(torch.get_rng_state(), before)
