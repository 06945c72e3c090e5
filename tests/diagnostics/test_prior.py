"""The trained prior against Adam written out by hand, and what it depends on."""

import torch
import torch.nn.functional as F
from torch import nn
from toy_problems import batch, conv_net

from rofit.diagnostics.prior import trained_prior
from rofit.seeding import generator


def _initial(net):
    return {name: p.detach().clone() for name, p in net.named_parameters()}


def _by_hand(x, y, w, b, seed):
    """Return weights and bias of softmax regression after ten epochs of Adam."""
    at = {"w": w.clone(), "b": b.clone()}
    first = {k: torch.zeros_like(v) for k, v in at.items()}
    second = {k: torch.zeros_like(v) for k, v in at.items()}
    stream, t = generator(seed, "diagnostics", "prior"), 0
    for _ in range(10):
        for minibatch in torch.randperm(len(x), generator=stream).split(128):
            t += 1
            rows = x[minibatch].flatten(1)
            residual = (rows @ at["w"].T + at["b"]).softmax(dim=1) - F.one_hot(
                y[minibatch], len(b)
            )
            slope = {"w": residual.T @ rows / len(minibatch), "b": residual.mean(dim=0)}
            for k in at:
                g = slope[k] + 1e-5 * at[k]
                first[k] = 0.9 * first[k] + 0.1 * g
                second[k] = 0.999 * second[k] + 0.001 * g**2
                step = first[k] / (1 - 0.9**t)
                at[k] = at[k] - 1e-3 * step / (
                    (second[k] / (1 - 0.999**t)).sqrt() + 1e-8
                )
    return at


def test_prior_is_adams_from_the_initial_weights():
    net = nn.Sequential(nn.Flatten(), nn.Linear(32, 3)).double()
    x, y = batch(150)
    before = _initial(net)
    prior = trained_prior(net, before, x, y, seed=4)
    slow = _by_hand(x, y, before["1.weight"], before["1.bias"], seed=4)
    assert torch.allclose(prior["1.weight"], slow["w"], rtol=1e-9, atol=1e-12)
    assert torch.allclose(prior["1.bias"], slow["b"], rtol=1e-9, atol=1e-12)
    assert not torch.allclose(prior["1.weight"], before["1.weight"])


def test_prior_does_not_depend_on_where_the_network_is_now():
    net, other = conv_net(), conv_net()
    before = _initial(net)
    x, y = batch(129)
    with torch.no_grad():
        for p in other.parameters():
            p.add_(1)
        other.eval()(x)
    prior = trained_prior(net, before, x, y, seed=0)
    again = trained_prior(other, before, x, y, seed=0)
    assert all(torch.equal(prior[name], again[name]) for name in before)
    assert all(torch.equal(p, before[name]) for name, p in net.named_parameters())
    assert all(p.grad is None for p in net.parameters())
