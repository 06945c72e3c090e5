"""Attacks and inputs of single methods, as their sources write them."""

import torch


def n_fgsm(run, x, y, index, start) -> torch.Tensor:
    """Noise, clipped to [0, 1]; one step of its own length; clipped again."""
    noisy = (x + start).clamp(0, 1).requires_grad_()
    (up,) = torch.autograd.grad(_cross_entropy(run.copy()(noisy), y), noisy)
    step = run.s["nfgsm_step"] * run.spec.epsilon
    return (noisy + step * up.sign()).clamp(0, 1).detach()


def nuat_weight(run) -> float:
    """Grow by the epoch, from 0, and stay where it is whole."""
    whole = round(run.s["nuat_full"] * run.epochs)
    return run.s["nuat_weight"] * min(run.epoch, whole) / whole


def nuat(run, x, y, index, start) -> torch.Tensor:
    """A step of the radius; the first, third, ... of an epoch without the norm."""
    net = run.copy()
    noisy = (x + start).clamp(0, 1).requires_grad_()
    logits = net(noisy)
    cost = _cross_entropy(logits, y)
    if run.number % 2 == 1:
        with torch.no_grad():
            clean = net(x)
        norm = torch.linalg.svdvals(clean - logits).sum()
        cost = cost + nuat_weight(run) * norm
    (up,) = torch.autograd.grad(cost, noisy)
    eps = run.spec.epsilon
    delta = noisy.detach() + eps * up.sign() - x
    return (x + delta.clamp(-eps, eps)).clamp(0, 1)


def helpers(run, x, x_adv, index) -> torch.Tensor:
    """HAT's: as many times the way to the adversarial input."""
    h = run.s["hat_reach"]
    return (1 - h) * x + h * x_adv


def _cross_entropy(logits, y) -> torch.Tensor:
    return -logits.log_softmax(1)[range(len(y)), y].sum()
