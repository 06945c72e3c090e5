"""Planted defences are found by the check of their name, and sound nets by none."""

import random
from functools import partial

import numpy as np
import pytest
import torch
from evaluated_runs import load, trained
from torch import nn
from torch.autograd import grad as grad_taken_early

from rofit.evaluation.masking import PROBED, PROBES, probe
from rofit.evaluation.verdicts import EvaluationImages

NORMS = {"linf": {}, "l2": {"norm": "l2", "epsilon": 1.0, "step_size": 0.3}}


class Defended(nn.Module):
    """A net inside a function of net and images; itself in train mode, to no effect."""

    def __init__(self, net, defence):
        super().__init__()
        self.net, self.defence, self.passes = net, defence, 0

    def forward(self, x):
        """Return logits, or what the defence makes of them."""
        self.passes += 1
        return self.defence(self.net, x)


class Turned(torch.autograd.Function):
    """The identity, whose gradient points the other way."""

    @staticmethod
    def forward(ctx, x):
        """Return x."""
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        """Return minus the gradient."""
        return -gradient


def adapted(take, net, x):
    """Move x along an input gradient that *take* finds, then predict."""

    def total(inputs):
        return net(inputs).amax(dim=1).sum()

    with torch.enable_grad():
        gradient = take(total, x.detach().requires_grad_(True))
    return net(x - 1e-3 * gradient.sign())


def by_backward(total, x):
    total(x).backward()
    return x.grad


@pytest.fixture(scope="module", params=NORMS)
def subject(request, tmp_path_factory):
    """A net after a second of adversarial training, with its images."""
    folder = trained(tmp_path_factory.mktemp("trained"), **NORMS[request.param])
    return load(folder)


@pytest.fixture(autouse=True)
def _seeded():
    """Defences that draw, draw the same every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def warning_names(subject, defence):
    """Return the names of the warnings."""
    net = Defended(subject.network, defence)
    warnings = probe(net, subject.images, subject.spec.threat)
    assert list(warnings) == list(PROBES)
    return {name for name, text in warnings.items() if text}


def test_sound_net_raises_no_warning(subject):
    with torch.no_grad():
        right = subject.network(subject.images.x).argmax(dim=1) == subject.images.y
    assert right.float().mean() > 0.6, "well above chance"
    assert warning_names(subject, lambda net, x: net(x)) == set()


@pytest.mark.parametrize("scale", [0.01, 3])
def test_scale_of_sound_logits_raises_no_warning(subject, scale):
    assert warning_names(subject, lambda net, x: scale * net(x)) == set()


def test_logits_of_another_kind_raise_no_warning(subject):
    """Log-probabilities, and scores in [0, 1] that do not sum to one."""
    assert warning_names(subject, lambda net, x: net(x).log_softmax(dim=1)) == set()
    assert warning_names(subject, lambda net, x: net(x).sigmoid()) == set()


def test_saturated_softmax_is_found_and_misleads_the_wide_attack_too(subject):
    names = warning_names(subject, lambda net, x: 1000 * net(x))
    assert names == {"saturated_softmax", "large_radius"}


@pytest.mark.parametrize("levels", [15, 255])
def test_rounded_images_have_no_gradient_for_any_attack(subject, levels):
    names = warning_names(subject, lambda net, x: net((x * levels).round() / levels))
    assert names == {"zero_gradients", "large_radius"}


def test_noise_is_found(subject):
    noisy = warning_names(subject, lambda net, x: net(x + 0.05 * torch.randn_like(x)))
    assert noisy == {"random_predictions"}


def test_probabilities_are_found(subject):
    names = warning_names(subject, lambda net, x: net(x).softmax(dim=1))
    assert names == {"probabilities"}


TAKES = {
    "torch.autograd.grad": lambda total, x: torch.autograd.grad(total(x), x)[0],
    "Tensor.backward": by_backward,
    "torch.func.grad": lambda total, x: torch.func.grad(total)(x),
    "imported before": lambda total, x: grad_taken_early(total(x), x)[0],
}


@pytest.mark.parametrize("take", TAKES.values(), ids=TAKES)
def test_gradient_taken_while_predicting_is_found(subject, take):
    assert warning_names(subject, partial(adapted, take)) == {"dynamic"}


def test_gradients_that_lead_astray_are_found_by_the_wide_attack_alone(subject):
    """Turned around; shattered by a ripple too fine to see."""
    assert warning_names(subject, lambda net, x: net(Turned.apply(x))) == {
        "large_radius"
    }
    rippled = warning_names(subject, lambda net, x: net(x + 0.02 * torch.sin(2000 * x)))
    assert rippled == {"large_radius"}


def test_classes_in_another_order_are_chance(subject):
    assert warning_names(subject, lambda net, x: net(x).roll(1, dims=1)) == {
        "clean_at_chance"
    }


def test_constant_answer_is_chance_and_has_no_gradient(subject):
    names = warning_names(subject, lambda net, x: 0 * net(x))
    assert names == {"clean_at_chance", "zero_gradients", "large_radius"}


def test_random_answer_is_chance_and_random(subject):
    names = warning_names(
        subject, lambda net, x: net(x) + 100 * torch.randn(len(x), 10)
    )
    assert names >= {"clean_at_chance", "random_predictions"}
    assert not names & {"probabilities", "dynamic", "zero_gradients"}


@pytest.mark.parametrize("defence", ["detached", "whole numbers"])
def test_net_without_a_graph_is_answered_in_words(subject, defence):
    if defence == "detached":
        names = warning_names(subject, lambda net, x: net(x).detach())
    else:
        names = warning_names(subject, lambda net, x: net((x * 15).long() / 15))
    assert "zero_gradients" in names


def test_no_more_images_are_looked_at_than_are_needed(subject):
    x, y, index = (getattr(subject.images, name) for name in ("x", "y", "index"))
    many = EvaluationImages(x.repeat(3, 1, 1, 1), y.repeat(3), index * 3)
    sizes = set()

    def counting(net, x):
        sizes.add(len(x))
        return net(x)

    probe(Defended(subject.network, counting), many, subject.spec.threat)
    assert sizes == {PROBED}


def test_answer_does_not_depend_on_the_global_stream(subject):
    def wide(net, x):
        return net(Turned.apply(x))

    results = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        net = Defended(subject.network, wide)
        results.append(probe(net, subject.images, subject.spec.threat))
    assert results[0] == results[1] and results[0]["large_radius"]


def _state(net):
    return (
        [module.training for module in net.modules()],
        [p.requires_grad for p in net.parameters()],
        [None if p.grad is None else p.grad.sum() for p in net.parameters()],
        [tensor.clone() for tensor in net.state_dict().values()],
        torch.get_rng_state(),
        random.getstate(),
        [np.random.get_state()[k] for k in (1, 2)],
        (torch.is_grad_enabled(), torch.autograd.grad, torch.autograd.backward),
    )


def _plain(state):
    """Return the state with tensors as lists, which can be compared."""
    if isinstance(state, (list, tuple)):
        return [_plain(entry) for entry in state]
    return state.tolist() if hasattr(state, "tolist") else state


@pytest.mark.parametrize("raising", [None, 1, 2, 3, 4, 5, 7, 8, 20, 28])
def test_probes_leave_everything_as_it_was_also_when_the_net_raises(subject, raising):
    def failing(net, x):
        if defended.passes == raising:
            raise RuntimeError("at this pass")
        return net(x)

    defended = Defended(subject.network, failing)
    first, *_ = subject.network.parameters()
    first.requires_grad_(True).grad = torch.full_like(first, 7.0)
    try:
        before = _plain(_state(defended))
        if raising is None:
            probe(defended, subject.images, subject.spec.threat)
            assert defended.passes > 28
        else:
            with pytest.raises(RuntimeError, match="at this pass"):
                probe(defended, subject.images, subject.spec.threat)
        assert _plain(_state(defended)) == before
    finally:
        first.requires_grad_(False).grad = None
