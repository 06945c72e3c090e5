"""The gradient norm against autograd in float64, and the watch that averages it."""

from copy import deepcopy
from typing import NamedTuple

import pytest
import torch
from torch import nn
from toy_problems import batch, conv_net, random_dataset
from training_helpers import doubled

from rofit.diagnostics import Monitor
from rofit.diagnostics.diagnostic import StepView
from rofit.diagnostics.gradient_norm import GradientNorm
from rofit.losses import soft_cross_entropy
from rofit.running import runner
from rofit.training import checkpoint
from rofit.training.loop import make_step
from rofit.training.plan import EpochPlan

CPU = torch.device("cpu")


def _view(net, x, y, soft=None):
    """Make the backward pass of the mean loss, as the training step does."""
    logits = net(x)
    soft = torch.eye(logits.shape[1])[y].to(x) if soft is None else soft
    loss = soft_cross_entropy(logits, soft).mean()
    net.zero_grad()
    loss.backward()
    return StepView(net, logits.detach(), y, soft, loss.detach())


def _norms(net, loss):
    """Return the three norms, a parameter and a number at a time."""
    squares = {"gradient": 0.0, "weight": 0.0}
    gradients = torch.autograd.grad(loss, list(net.parameters()))
    for weight, gradient in zip(net.parameters(), gradients, strict=True):
        squares["weight"] += sum(w * w for w in weight.detach().flatten().tolist())
        squares["gradient"] += sum(g * g for g in gradient.flatten().tolist())
    gradient, weight = squares["gradient"] ** 0.5, squares["weight"] ** 0.5
    return {
        "gradient_norm": gradient,
        "weight_norm": weight,
        "gradient_weight_product": gradient * weight,
    }


def _measured(view):
    return {key: value.item() for key, value in GradientNorm().measure(view).items()}


def test_norms_of_one_step_equal_a_loop_over_all_weights():
    net, (x, y) = conv_net(), batch(6)
    twin = deepcopy(net)
    norms = _measured(_view(net, x, y))
    mean_loss = -twin(x).log_softmax(1)[torch.arange(6), y].mean()
    assert norms == pytest.approx(_norms(twin, mean_loss), rel=1e-12)


def test_frozen_weights_count_as_weights_and_have_no_gradient():
    net, (x, y) = conv_net(), batch(6)
    whole = _measured(_view(net, x, y))
    net[0].weight.requires_grad_(False)
    net.zero_grad()
    frozen = _measured(_view(net, x, y))
    assert frozen["weight_norm"] == whole["weight_norm"]
    assert frozen["gradient_norm"] < whole["gradient_norm"]


def test_measuring_changes_nothing_that_it_sees():
    net, (x, y) = conv_net(), batch(6)
    view = _view(net, x, y)
    before = deepcopy([(p.detach(), p.grad) for p in net.parameters()])
    state = deepcopy(net.state_dict())
    GradientNorm().measure(view)
    for parameter, (weight, gradient) in zip(net.parameters(), before, strict=True):
        assert torch.equal(parameter, weight) and torch.equal(parameter.grad, gradient)
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())


def test_product_is_not_fooled_by_the_scale_of_normalised_weights():
    """Halved weights double the gradient before BatchNorm; the product stays.

    BatchNorm's epsilon of 1e-12 beside a variance of about 0.01 leaves 1e-9 or so.
    """
    x, y = batch(8)
    net = nn.Sequential(
        nn.Conv2d(2, 3, 3, bias=False),
        nn.BatchNorm2d(3, affine=False, eps=1e-12),
        nn.Tanh(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    ).double()
    large = _measured(_view(net, x, y))
    net[0].weight.data /= 2
    small = _measured(_view(net, x, y))
    assert small["gradient_norm"] == pytest.approx(2 * large["gradient_norm"], rel=1e-6)
    product = "gradient_weight_product"
    assert small[product] == pytest.approx(large[product], rel=1e-6)


@pytest.mark.parametrize("method", ["pgd_at", "sglr", "standard"])
def test_logged_norm_is_the_mean_over_the_epochs_steps(method, smoke_spec):
    """The twin takes the loss of train mode, the method's labels, no weight decay."""
    sizes = dict(train_size=48, val_size=8, test_size=8, batch_size=20)  # 20, 20, 8
    spec = smoke_spec(method=method, weight_decay=0.1, **sizes)
    run, _ = runner.build_training(
        spec, data=random_dataset(), device=CPU, diagnostics=("gradient_norm",)
    )
    doubled(run).method.labels.begin_epoch(1, 2)
    run.model.train()
    plan = EpochPlan(0, 1, 48)
    norms = []
    for step in run.train.batches(spec, plan, begin=0):
        step = type(step)(step.step, step.index, step.x.double(), step.y)
        start = plan.start(step.step, spec.threat, step.x.shape).double()
        twin, rule = deepcopy(run.model), deepcopy(run.method)
        x_adv = rule.maximise(twin, step.x, step.y, step.index, start)
        logits = twin(x_adv)
        clean = deepcopy(twin)(step.x) if rule.labels.reads_clean else None
        soft = rule.labels.refine(step.index, step.y, logits, clean)
        loss = -(soft * logits.log_softmax(1)).sum() / len(logits)
        norms.append(_norms(twin, loss))
        make_step(run, step, start)
    rows = {row["metric"]: row["value"] for row in run.monitor.rows()}
    assert len(norms) == 3 and rows.keys() == GradientNorm.columns.keys()
    for key, value in rows.items():
        mean = sum(step_norms[key] for step_norms in norms) / 3
        assert value == pytest.approx(mean, rel=1e-9), key


class ScaledLoss(NamedTuple):
    """A diagnostic that answers with the loss, and with ten times it."""

    def measure(self, view):
        assert not torch.is_grad_enabled()
        return {"loss": view.loss, "ten": 10 * view.loss}


def _record(watch, *losses):
    for loss in losses:
        watch.record_step(None, None, None, None, torch.tensor(loss))


def _values(watch):
    return {row["metric"]: row["value"] for row in watch.rows()}


def test_watch_averages_over_the_steps_and_begins_anew():
    watch = Monitor({"scaled_loss": ScaledLoss()})
    _record(watch, 1.0, 2.0, 6.0)
    rows = watch.rows()
    assert rows == [
        {"split": "train", "metric": "loss", "value": 3.0},
        {"split": "train", "metric": "ten", "value": 30.0},
    ]
    _record(watch, 5.0)
    assert _values(watch) == {"loss": 5.0, "ten": 50.0}


def test_watch_goes_on_in_the_middle_of_an_epoch(tmp_path):
    whole, first, second = (Monitor({"scaled_loss": ScaledLoss()}) for _ in range(3))
    _record(whole, 0.1, 0.2, 0.7)
    _record(first, 0.1, 0.2)
    checkpoint.save(first.state_dict(), tmp_path / "watch.pt")
    second.load_state_dict(checkpoint.load(tmp_path / "watch.pt", CPU))
    _record(second, 0.7)
    assert _values(second) == _values(whole)


def test_nothing_watched_gives_no_rows():
    watch = Monitor({})
    _record(watch, 1.0)
    assert watch.rows() == []


def test_sums_of_many_steps_keep_float64():
    """A float32 sum of 1e8 would swallow the whole step."""
    watch = Monitor({"scaled_loss": ScaledLoss()})
    watch.sums, watch.steps = {"loss": torch.tensor(1e8).double()}, 10**8
    _record(watch, 1.0 + 2**-20)
    assert watch.sums["loss"].item() == 1e8 + 1 + 2**-20
