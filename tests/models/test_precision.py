"""The frozen twin: what it shares with its network, what it rounds, and by how much."""

from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call
from training_helpers import digits, digits_net

from rofit.losses import cross_entropy
from rofit.models import MODELS, RESIZABLE, build_model
from rofit.modes import evaluating
from rofit.precision import PrecisionCopy, rounded

FP32, BF16 = torch.float32, torch.bfloat16
# Every architecture of the registry; of the wide ones the smallest, which has no entry.
NETS = {
    name: {"width": 8} if name in RESIZABLE else {}
    for name in [
        *(model for model in MODELS if not model.startswith("wrn")),
        "wrn_10_1",
    ]
}


@pytest.fixture(scope="module", params=NETS)
def trained(request):
    """A network after twenty steps on the digits, which it normalises."""
    settings = NETS[request.param] | {"mean": [0.3], "std": [0.37]}
    return digits_net(request.param, steps=20, batch=48, **settings)


@pytest.fixture
def net(trained):
    """A copy in train mode, that a test may change."""
    return deepcopy(trained).train()


X, Y = (tensor[:96] for tensor in digits("test"))


def _logits(network, x=X):
    with torch.no_grad(), evaluating(network):
        return network(x)


def _gradient(network, x=X, y=Y):
    x = x.clone().requires_grad_()
    with evaluating(network):
        return torch.autograd.grad(cross_entropy(network(x), y).sum(), x)[0]


def _error(actual, expected):
    """Return the error of logits over their spread: what an offset cannot flatter."""
    return ((actual - expected).norm() / (expected - expected.mean(0)).norm()).item()


def _convolutions(network):
    return {
        f"{name}.weight": module.weight
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d)
    }


def _change(network, *, convolutions):
    """Change weights and running statistics in place, with or without convolutions."""
    ours = _convolutions(network)
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if value.is_floating_point() and (key in ours) == convolutions:
                value.mul_(1.1).add_(0.01)


def test_fp32_twin_gives_the_networks_logits_bit_for_bit(net):
    assert torch.equal(PrecisionCopy(net, FP32).network(X), _logits(net))


def test_fp32_twin_gives_the_networks_input_gradients_bit_for_bit(net):
    assert torch.equal(_gradient(PrecisionCopy(net, FP32).network), _gradient(net))


def test_fp32_twin_is_the_networks_own_memory_and_follows_unasked(net):
    twin = PrecisionCopy(net, FP32)
    theirs = twin.network.state_dict()
    for key, value in net.state_dict().items():
        assert theirs[key].data_ptr() == value.data_ptr(), key
    before = _logits(twin.network)
    for convolutions in (True, False):
        _change(net, convolutions=convolutions)
        assert torch.equal(_logits(twin.network), _logits(net))
    net(X)  # moves the running statistics
    assert torch.equal(_logits(twin.network), _logits(net))
    assert not torch.equal(_logits(twin.network), before)


def test_bf16_twin_rounds_the_convolutions_and_shares_the_rest(net):
    twin, ours = PrecisionCopy(net, BF16), _convolutions(net)
    theirs = twin.network.state_dict()
    for key, value in net.state_dict().items():
        if key in ours:
            assert torch.equal(theirs[key], value.to(BF16)), key
            assert theirs[key].dtype == BF16, key
        else:
            assert theirs[key].dtype == value.dtype != BF16, key
            assert theirs[key].data_ptr() == value.data_ptr(), key


def test_bf16_twins_logits_are_fp32_and_near(net):
    """bf16 keeps 8 bits, 0.2 % a rounding; 0.2 to 0.6 % is seen over 7 to 20 layers."""
    logits = _logits(PrecisionCopy(net, BF16).network)
    assert logits.dtype == FP32
    assert 0 < _error(logits, _logits(net)) < 0.02


def test_bf16_twin_keeps_the_direction_of_the_input_gradient(net):
    expected, actual = _gradient(net), _gradient(PrecisionCopy(net, BF16).network)
    assert actual.dtype == FP32
    assert (actual.sign() == expected.sign()).float().mean() >= 0.95
    assert F.cosine_similarity(actual.flatten(), expected.flatten(), dim=0) >= 0.99


def test_bf16_twin_takes_new_convolutions_on_refresh_and_not_before(net):
    twin = PrecisionCopy(net, BF16)
    before = _logits(twin.network)
    _change(net, convolutions=True)
    assert torch.equal(_logits(twin.network), before)
    twin.refresh()
    after = _logits(twin.network)
    assert not torch.equal(after, before)
    assert torch.equal(after, _logits(PrecisionCopy(net, BF16).network))


def test_bf16_twin_follows_everything_but_convolutions_unasked(net):
    twin = PrecisionCopy(net, BF16)
    _change(net, convolutions=False)
    assert torch.equal(_logits(twin.network), _logits(PrecisionCopy(net, BF16).network))


@pytest.mark.parametrize("dtype", [FP32, BF16])
def test_twin_has_nothing_to_train_and_modes_of_its_own(net, dtype):
    twin = PrecisionCopy(net, dtype)
    for _ in range(2):
        assert not any(p.requires_grad for p in twin.network.parameters())
        assert all(p.requires_grad for p in net.parameters())
        assert not any(module.training for module in twin.network.modules())
        assert all(module.training for module in net.modules())
        before = deepcopy(twin.network.state_dict())
        _gradient(twin.network)
        after = twin.network.state_dict()
        assert all(torch.equal(after[key], before[key]) for key in before)
        assert all(p.grad is None for p in net.parameters())
        net.eval().train()
        twin.refresh()


def test_rounded_weights_send_fp32_gradients_back(net):
    weights = rounded(net, BF16)
    assert weights.keys() == _convolutions(net).keys()
    assert {weight.dtype for weight in weights.values()} == {BF16}
    net.eval()  # a batch's own statistics would amplify the rounding
    cross_entropy(functional_call(net, weights, (X,)), Y).mean().backward()
    actual = [p.grad for p in net.parameters()]
    assert {gradient.dtype for gradient in actual} == {FP32}
    loss = cross_entropy(net(X), Y).mean()
    expected = torch.autograd.grad(loss, list(net.parameters()))
    pair = (
        torch.cat([g.flatten() for g in gradients]) for gradients in (actual, expected)
    )
    assert F.cosine_similarity(*pair, dim=0) >= 0.99


def test_images_are_centred_before_they_are_rounded(net):
    """The same digits far from zero: near 0.9 bf16 has steps of 0.4 deviations."""
    x = 0.9 + 0.01 * net.normalise(X)
    net.normalise.mean.fill_(0.9)
    net.normalise.std.fill_(0.01)
    twin, expected = PrecisionCopy(net, BF16).network, _logits(net, x)
    assert _error(_logits(twin, x), expected) < 0.02
    assert _error(_logits(twin, x.to(BF16).float()), expected) > 0.03


@pytest.mark.parametrize("name", NETS)
def test_features_are_pooled_in_fp32(name):
    """Seen where maps have more than one pixel: a mean of bf16 numbers is none."""
    net = build_model(name, channels=1, image_size=16, n_classes=10, **NETS[name])
    features = PrecisionCopy(net, BF16).network.features(torch.rand((4, 1, 16, 16)))
    assert features.dtype == FP32
    assert not torch.equal(features, features.to(BF16).float())
