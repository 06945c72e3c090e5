"""Information in weights against a loop of autograd over images and layers."""

from dataclasses import replace

import pytest
import torch
from made_up_views import ATTACK, assert_watching_changes_nothing, view_of
from torch import nn
from toy_problems import batch, conv_net

from rofit.attacks.pgd import PGD
from rofit.diagnostics import information_in_weights
from rofit.diagnostics.fisher_trace import FisherTrace, draw_classes
from rofit.diagnostics.information_in_weights import InformationInWeights
from rofit.diagnostics.prior import trained_prior
from rofit.diagnostics.sample_gradients import SampleGradients
from rofit.diagnostics.slopes import slopes, weight_layers
from rofit.models import build_model
from rofit.settings.threat import ThreatModel
from rofit.store.runs import read_rows

LAYERS = ("0", "4")  # of conv_net: the convolution and the linear layer


def _slow_slopes(net, x, y, way):
    """Return d_l^T grad_l l_i, [image][layer], by gradients of single images."""
    net.eval()
    per_image = []
    for one, label in zip(x, y, strict=True):
        loss = -net(one[None]).log_softmax(dim=1)[0, label]
        weights = [net.get_submodule(name).weight for name in way]
        gradients = torch.autograd.grad(loss, weights)
        pairs = zip(gradients, way.values(), strict=True)
        per_image.append([(g * d).sum().item() for g, d in pairs])
    return per_image


def _random_like(weights, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(w.shape, generator=stream, dtype=w.dtype)
        for name, w in weights.items()
    }


def _weights(net):
    return {name: layer.weight.detach() for name, layer in weight_layers(net).items()}


def _view(**options):
    """Return a view whose network has moved away from its initial weights."""
    view = view_of(**options)
    named = dict(view.model.named_parameters())
    return replace(view, initial=_random_like(named, seed=9))


def _information(rows):
    names = ("attack", "labels", "prior", "metric", "layer")
    values = {tuple(row[name] for name in names): row["value"] for row in rows}
    assert len(values) == len(rows)
    return values


def _net(name):
    """Return a small float64 network for images of 8 x 8."""
    if name == "toy":
        return conv_net(channels=1, size=8)
    sizes = {"width": 4} if name.startswith("preact") else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = build_model(name, channels=1, image_size=8, n_classes=3, **sizes)
    return net.double()


@pytest.mark.parametrize(
    "name", ["toy", "preact_small", "preact_tiny", "resnet18", "wrn_10_1"]
)
def test_slopes_equal_single_gradients_times_directions(name):
    """In every family of networks, whichever way their layers are wired."""
    net = _net(name)
    x, y = batch(2, channels=1, size=8)
    other = (y + 1) % 3
    ways = [_random_like(_weights(net), seed) for seed in (1, 2)]
    actual = slopes(net, x, [y, other], ways)
    assert actual.shape == (2, 2, 2, len(weight_layers(net)))
    for kind, classes in enumerate((y, other)):
        for number, way in enumerate(ways):
            slow = x.new_tensor(_slow_slopes(net, x, classes, way))
            assert torch.allclose(actual[kind, number], slow, rtol=1e-11, atol=1e-13)


def test_slopes_are_differences_of_the_loss():
    """Central differences with h = 1e-5 in float64: good to some 1e-9."""
    net, (x, y) = conv_net().eval(), batch(4)
    way = _random_like(_weights(net))
    actual = slopes(net, x, [y], [way])[0, 0]
    h = 1e-5
    for number, (name, d) in enumerate(way.items()):
        losses = []
        for sign in (1, -1):
            net.get_submodule(name).weight.data += sign * h * d
            with torch.no_grad():
                losses.append(nn.functional.cross_entropy(net(x), y, reduction="none"))
            net.get_submodule(name).weight.data -= sign * h * d
        slow = (losses[0] - losses[1]) / (2 * h)
        assert torch.allclose(actual[:, number], slow, rtol=1e-7, atol=1e-8)


def test_slopes_of_a_linear_softmax_model_are_the_closed_form():
    """<d, (p - e_y) x^T>, whatever the bias."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(32, 3)).double()
    x, y = batch(5)
    d = _random_like({"1": net[1].weight})["1"]
    residual = net(x).softmax(dim=1).detach() - torch.eye(3).double()[y]
    closed = (residual * (x.flatten(1) @ d.T)).sum(dim=1)
    actual = slopes(net, x, [y], [{"1": d}])
    assert torch.allclose(actual[0, 0, :, 0], closed, rtol=1e-13, atol=1e-14)


def test_slopes_do_not_need_trainable_weights_and_leave_nothing_behind():
    net, (x, y) = conv_net(), batch(4)
    way = _weights(net)
    whole = slopes(net, x, [y], [way])
    net.requires_grad_(False)
    assert torch.equal(slopes(net, x, [y], [way]), whole)
    assert net.training and all(p.grad is None for p in net.parameters())
    assert not any(module._forward_hooks for module in net.modules())
    assert x.grad is None and not x.requires_grad


@pytest.mark.parametrize("chunk", [64, 7])
def test_information_is_the_mean_of_squared_slopes_of_a_loop(chunk, monkeypatch):
    monkeypatch.setitem(information_in_weights.CHUNK, "cpu", chunk)
    view = _view()
    rows = InformationInWeights().measure(view).rows
    information = _information(rows)
    weights, y = _weights(view.model), view.splits["train"].y
    ways = {
        "initial": {n: w - view.initial[f"{n}.weight"] for n, w in weights.items()},
        "zero": weights,
    }
    expected = {}
    for attack, x in (
        ("none", view.clean("train", 20)),
        (ATTACK.name, view.adversarial("train", 20)),
    ):
        view.model.eval()
        drawn = draw_classes(view, view.model(x).detach())
        for labels, classes in (("given", y), ("sampled", drawn)):
            for prior, way in ways.items():
                slow = _slow_slopes(view.model, x, classes, way)
                about = (attack, labels, prior)
                for number, layer in enumerate(LAYERS):
                    values = [row[number] for row in slow]
                    mean_square = sum(v * v for v in values) / 20
                    expected[(*about, "iiw_fisher", layer)] = mean_square
                    if labels == "given":
                        square = (sum(values) / 20) ** 2
                        expected[(*about, "iiw_code", layer)] = square
    assert {key for key in information if key[-1] != "all"} == expected.keys()
    for key, value in expected.items():
        assert information[key] == pytest.approx(value, rel=1e-10), key
    assert {(r["split"], r["n"]) for r in rows} == {("train", 20)}


def test_all_is_the_sum_over_layers_and_code_is_at_most_fisher():
    information = _information(InformationInWeights().measure(_view()).rows)
    for (*about, metric, layer), value in information.items():
        if layer == "all":
            by_layer = [information[(*about, metric, name)] for name in LAYERS]
            assert value == pytest.approx(sum(by_layer), rel=1e-13)
        if metric == "iiw_code":
            assert value <= information[(*about, "iiw_fisher", layer)]


def test_only_weights_of_convolutions_and_linear_layers_count():
    """Biases and BatchNorm may start anywhere, and prior zero knows no start."""
    view = _view()
    information = _information(InformationInWeights().measure(view).rows)
    assert {key[-1] for key in information} == {*LAYERS, "all"}
    moved = {
        n: w if n in ("0.weight", "4.weight") else w + 1
        for n, w in view.initial.items()
    }
    other = InformationInWeights().measure(replace(view, initial=moved))
    assert _information(other.rows) == information


def test_trained_prior_is_where_validation_images_would_have_led():
    y = {name: batch(20, seed=s)[1] for s, name in enumerate(("train", "val", "test"))}
    view = view_of(y=y)
    start = {n: p.detach().clone() for n, p in view.model.named_parameters()}
    view = replace(view, initial=start)
    prior = trained_prior(view.model, start, view.clean("val", 20), y["val"], 0)
    diagnostic = InformationInWeights()
    information = _information(diagnostic.measure(view).rows)
    at_prior = _information(diagnostic.measure(replace(view, initial=prior)).rows)
    for key, value in at_prior.items():
        if key[2] == "initial":
            assert information[(*key[:2], "trained", *key[3:])] == value > 0


def test_weights_that_never_moved_hold_no_information():
    view = view_of()
    start = {n: p.detach().clone() for n, p in view.model.named_parameters()}
    information = _information(
        InformationInWeights().measure(replace(view, initial=start)).rows
    )
    assert {v for key, v in information.items() if key[2] == "initial"} == {0.0}
    assert all(v > 0 for key, v in information.items() if key[2] == "zero")


def test_information_grows_with_the_square_of_the_way():
    view = _view()
    information = _information(InformationInWeights().measure(view).rows)
    weights = dict(view.model.named_parameters())
    thrice = {n: w - 3 * (w - view.initial[n]) for n, w in weights.items()}
    thrice = {n: w.detach() for n, w in thrice.items()}
    far = _information(
        InformationInWeights().measure(replace(view, initial=thrice)).rows
    )
    for key, value in information.items():
        factor = 9 if key[2] == "initial" else 1
        assert far[key] == pytest.approx(factor * value, rel=1e-9)


def test_watching_changes_nothing(smoke_spec, tmp_path, monkeypatch):
    folder = assert_watching_changes_nothing(
        "information_in_weights",
        InformationInWeights,
        smoke_spec(),
        tmp_path,
        monkeypatch,
    )
    rows = [r for r in read_rows(folder.path) if "prior" in r]
    layers = {row["layer"] for row in rows}
    assert {"stem", "stages.1.0.conv1", "classifier", "all"} <= layers
    assert len(rows) == 2 * 2 * 3 * 3 * len(layers)
    priors = {r["prior"] for r in rows}
    assert priors == {"initial", "zero", "trained"}


@pytest.mark.parametrize("kind", [InformationInWeights, FisherTrace, SampleGradients])
def test_a_ball_that_is_a_point_is_looked_at_once(kind):
    point = PGD(ThreatModel("linf", 0.0), 3, 0.05)
    y = {name: batch(20, seed=s)[1] for s, name in enumerate(("train", "test"))}
    hard = torch.eye(3, dtype=torch.float64)[y["train"]]
    view = replace(_view(y=y, labels=lambda index: hard[index]), attack=point)
    assert {row["attack"] for row in kind().measure(view).rows} == {"none"}
