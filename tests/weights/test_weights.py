"""Weights that are perturbed, a tensor at a time, and statistics that are kept."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from toy_problems import batch, conv_net

from rofit.distributed.part import Part
from rofit.distributed.ranks import ALONE
from rofit.modes import keeping_statistics
from rofit.weights.perturbation import Perturbation

X, Y = batch(12)
GAMMA = 0.03
GRADIENTS = Part(ALONE, len(Y)).gradients
# What a float64 loses by one addition and one subtraction of a number of its size.
ROUNDING = 4 * torch.finfo(torch.float64).eps


def _losses(net, x=X, y=Y):
    return lambda: nn.functional.cross_entropy(net(x), y, reduction="none")


def _perturbed(**options):
    """Return a net, its state before, and its perturbation, which is on."""
    net = conv_net()
    before = deepcopy(net.state_dict())
    made = Perturbation(net, GAMMA, **options)
    made.begin_epoch(0, 10)
    made.add(_losses(net), GRADIENTS)
    return net, before, made


def _moves(net, before):
    """Return name -> what was added, of the parameters."""
    return {name: p.detach() - before[name] for name, p in net.named_parameters()}


def test_every_kernel_moves_by_gamma_of_its_own_length_up_the_gradient():
    net, before, _ = _perturbed()
    twin = conv_net()
    _losses(twin)().mean().backward()
    matrices = 0
    for name, moved in _moves(net, before).items():
        up = twin.get_parameter(name).grad
        if up.ndim <= 1:  # biases, BatchNorm's scales and shifts
            assert (moved == 0).all(), name
            continue
        matrices += 1
        expected = GAMMA * before[name].norm() * up / up.norm()
        assert torch.allclose(moved, expected, rtol=1e-9, atol=1e-15), name
        size = GAMMA * before[name].norm().item()
        assert moved.norm().item() == pytest.approx(size, rel=1e-9)
    assert matrices == 2


def test_all_together_move_by_gamma_of_their_common_length():
    net, before, _ = _perturbed(by_tensor=False)
    twin = conv_net()
    _losses(twin)().mean().backward()
    names = [name for name, p in net.named_parameters() if p.ndim > 1]
    moved = torch.cat([_moves(net, before)[name].flatten() for name in names])
    size = torch.cat([before[name].flatten() for name in names]).norm()
    up = torch.cat([twin.get_parameter(name).grad.flatten() for name in names])
    assert torch.allclose(moved, GAMMA * size * up / up.norm(), rtol=1e-9, atol=1e-15)


def test_loss_is_larger_where_the_weights_have_moved_to():
    net, _, _ = _perturbed()
    assert _losses(net)().mean() > _losses(conv_net())().mean()


@pytest.mark.parametrize("by_tensor", [True, False])
def test_ascents_add_up_gradients_each_at_the_weights_moved_so_far(by_tensor):
    """The loop of MLCAT's code: the sum is made longer or shorter, not the steps."""
    net, before, _ = _perturbed(ascents=3, by_tensor=by_tensor)
    start = conv_net()
    mine = [p for p in start.parameters() if p.ndim > 1]
    total, added = ([torch.zeros_like(w) for w in mine] for _ in range(2))
    for _ in range(3):
        twin = deepcopy(start)
        kernels = [p for p in twin.parameters() if p.ndim > 1]
        with torch.no_grad():
            for weight, more in zip(kernels, added, strict=True):
                weight += more
        up = torch.autograd.grad(_losses(twin)().mean(), kernels)
        total = [a + b for a, b in zip(total, up, strict=True)]
        sizes, lengths = ([t.norm() for t in tensors] for tensors in (mine, total))
        if not by_tensor:
            sizes, lengths = (
                [torch.stack(norms).norm()] * len(mine) for norms in (sizes, lengths)
            )
        added = [
            GAMMA * size * d / length
            for d, size, length in zip(total, sizes, lengths, strict=True)
        ]
    moved = [m for name, m in _moves(net, before).items() if before[name].ndim > 1]
    for one, expected in zip(moved, added, strict=True):
        assert torch.allclose(one, expected, rtol=1e-9, atol=1e-14)


def test_only_losses_below_the_threshold_say_where_to():
    """An example that is not counted is as if it were not there, but for the mean."""
    initial_losses = _losses(conv_net())().detach()
    floor = initial_losses.median().item() + 1e-9
    assert 0 < (initial_losses < floor).sum() < len(initial_losses)
    net, before, _ = _perturbed(below=floor)
    twin = conv_net()
    losses = _losses(twin)()
    sum(loss for loss in losses if loss.item() < floor).backward()
    for name, moved in _moves(net, before).items():
        up = twin.get_parameter(name).grad
        if up.ndim > 1:
            expected = GAMMA * before[name].norm() * up / up.norm()
            assert torch.allclose(moved, expected, rtol=1e-9, atol=1e-15)


def test_threshold_below_every_loss_moves_nothing():
    net, before, made = _perturbed(below=0.0)
    assert all((moved == 0).all() for moved in _moves(net, before).values())
    made.remove()
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_statistics_modes_and_gradients_are_left_as_they_were():
    net, before, _ = _perturbed(ascents=2)
    for name, buffer in net.named_buffers():
        assert torch.equal(buffer, before[name]), name
    assert all(module.training for module in net.modules())
    assert all(p.grad is None for p in net.parameters())


def test_removed_perturbation_is_gone_up_to_rounding():
    """(w + v) - v rounds twice: it is w to a few units in the last place of w + v."""
    net, before, made = _perturbed()
    largest = max(p.abs().max() for p in net.parameters())
    made.remove()
    for name, p in net.named_parameters():
        assert (p - before[name]).abs().max() <= ROUNDING * largest, name
    after = deepcopy(net.state_dict())
    made.remove()  # a second time there is nothing to take off
    assert all(torch.equal(v, after[k]) for k, v in net.state_dict().items())


def test_what_an_optimizer_did_between_stays():
    net, before, made = _perturbed()
    with torch.no_grad():
        for p in net.parameters():
            p += 0.25
    made.remove()
    for name, p in net.named_parameters():
        assert torch.allclose(p, before[name] + 0.25, rtol=0, atol=1e-14), name


@pytest.mark.parametrize(("start", "first"), [(0.0, 0), (0.05, 10), (1.0, 200)])
def test_nothing_moves_before_the_start(start, first):
    net = conv_net()
    made = Perturbation(net, GAMMA, start=start)
    assert not made.active
    active = []
    for epoch in range(200):
        made.begin_epoch(epoch, 200)
        active.append(made.active)
    assert active == [epoch >= first for epoch in range(200)]
    made.active, before = False, deepcopy(net.state_dict())
    made.add(lambda: pytest.fail("no gradient is asked for"), GRADIENTS)
    made.remove()
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_block_that_keeps_statistics_keeps_those_of_a_failed_one_too():
    net = conv_net()
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    own = {name: buffer.data_ptr() for name, buffer in net.named_buffers()}
    with pytest.raises(RuntimeError, match="of the block"):
        with keeping_statistics(net) as same:
            assert same is net
            net(X)
            assert not torch.equal(net[1].running_mean, before["1.running_mean"])
            raise RuntimeError("of the block")
    for name, buffer in net.named_buffers():
        assert torch.equal(buffer, before[name]) and buffer.data_ptr() == own[name]
    assert net.training
