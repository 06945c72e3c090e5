"""Averages of weights over steps and over epochs, against sums written out."""

from copy import deepcopy

import pytest
import torch
from toy_problems import batch, conv_net

from rofit.training import checkpoint
from rofit.weights.averages import EqualAverage, MovingAverage

X, _ = batch(12)


def _trained_a_little(net, seed):
    """Change weights and statistics of *net*, and count its batches."""
    stream = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p += torch.randn(p.shape, generator=stream, dtype=p.dtype)
        net(X)


@pytest.mark.parametrize("decay", [0.0, 0.25, 0.9, 1.0])
def test_moving_average_is_that_of_weights_and_statistics_counters_copied(decay):
    net = conv_net()
    average, expected = MovingAverage(net, decay), deepcopy(net.state_dict())
    assert average.network is not net and not average.network.training
    for seed in range(4):
        _trained_a_little(net, seed)
        average.after_step(net)
        average.after_epoch(net, seed, 4, lambda: pytest.fail("no inputs are asked"))
        for key, value in net.state_dict().items():
            if value.is_floating_point():
                expected[key] = decay * expected[key] + (1 - decay) * value
            else:
                expected[key] = value.clone()
    state = average.network.state_dict()
    assert state["1.num_batches_tracked"] == net[1].num_batches_tracked > 0
    for key, value in expected.items():
        assert torch.allclose(state[key], value, rtol=1e-12, atol=1e-14), key
    assert average.state_dict() == {} and net.training


def _batches():
    return iter([batch(n, seed=n)[0] for n in (16, 9, 4)])


def test_equal_average_is_the_mean_of_its_epochs_and_a_copy_before():
    net = conv_net()
    average, weights = EqualAverage(net, 0.5), []
    for epoch in range(6):
        _trained_a_little(net, epoch)
        average.after_step(net)
        average.after_epoch(net, epoch, 6, _batches)
        if epoch < 3:
            for key, value in average.network.state_dict().items():
                assert torch.equal(value, net.state_dict()[key]), key
            continue
        weights.append([p.detach().clone() for p in net.parameters()])
        assert average.state_dict() == {"n": len(weights)}
        mean = [sum(copies) / len(weights) for copies in zip(*weights, strict=True)]
        for mine, expected in zip(average.network.parameters(), mean, strict=True):
            assert torch.allclose(mine, expected, rtol=1e-12, atol=1e-14)
    assert not average.network.training and net.training


def test_statistics_of_the_mean_are_means_over_batches_of_the_batches_own():
    """The shorter last batch counts like the others, as its docstring says."""
    net = conv_net()
    average = EqualAverage(net, 0.0)
    _trained_a_little(net, 0)
    average.after_epoch(net, 0, 2, _batches)
    maps = [net[0](x).detach().transpose(0, 1).flatten(1) for x in _batches()]
    bn = average.network[1]
    assert bn.num_batches_tracked == 3 and bn.momentum == 0.1
    expected = sum(m.mean(1) for m in maps) / 3
    assert torch.allclose(bn.running_mean, expected, rtol=1e-12, atol=1e-14)
    expected = sum(m.var(1) for m in maps) / 3
    assert torch.allclose(bn.running_var, expected, rtol=1e-12, atol=0)


def test_equal_average_goes_on_after_a_checkpoint(tmp_path):
    net = conv_net()
    one = EqualAverage(net, 0.0)
    for epoch in range(2):
        _trained_a_little(net, epoch)
        one.after_epoch(net, epoch, 4, _batches)
    kept = {"n": one.state_dict(), "network": one.network.state_dict()}
    checkpoint.save(kept, tmp_path / "average.pt")
    state = checkpoint.load(tmp_path / "average.pt", torch.device("cpu"))
    other = EqualAverage(conv_net(seed=1), 0.0)
    other.load_state_dict(state["n"])
    other.network.load_state_dict(state["network"])
    _trained_a_little(net, 2)
    for average in (one, other):
        average.after_epoch(net, 2, 4, _batches)
    resumed = other.network.state_dict()
    for key, value in one.network.state_dict().items():
        assert torch.equal(value, resumed[key]), key


def test_moving_average_that_begins_late_is_a_copy_before():
    """Bit for bit until its epoch; then the average begins at the network as it was."""
    net = conv_net()
    average = MovingAverage(net, 0.75, start=0.5)
    for epoch in range(4):
        average.begin_epoch(epoch, 4)
        _trained_a_little(net, epoch)
        before = {k: v.clone() for k, v in average.network.state_dict().items()}
        average.after_step(net)
        for key, value in average.network.state_dict().items():
            new = net.state_dict()[key]
            if epoch < 2 or not value.is_floating_point():
                assert torch.equal(value, new), key
            else:
                expected = 0.75 * before[key] + 0.25 * new
                assert torch.allclose(value, expected, rtol=1e-12, atol=1e-14), key
