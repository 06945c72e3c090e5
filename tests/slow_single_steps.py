"""Attacks and inputs of single methods, as their sources write them."""

import torch


def n_fgsm(run, x, y, index, start) -> torch.Tensor:
    """Noise, clipped to [0, 1]; one step of its own length; clipped again."""
    noisy = (x + start).clamp(0, 1).requires_grad_()
    batch = run.build_step(y, index, run.attacked()(noisy), None)
    climbed = sum(run.how.inner(batch, i) for i in range(len(y)))
    (up,) = torch.autograd.grad(climbed, noisy)
    length = run.s["nfgsm_step"] * run.spec.epsilon
    return (noisy + length * up.sign()).clamp(0, 1).detach()


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


def fgsm_pgi(run, x, y, index, start) -> torch.Tensor:
    """Image by image, after the gradients of all: their length is the batch's."""
    kept, eps = run.remembered, run.spec.epsilon
    prior, past = kept["prior"][index], kept["momentum"][index]
    if run.epoch % round(run.s["pgi_reset"] * run.epochs) == 0:
        prior, past = start, torch.zeros_like(past)
    begun = (x + prior).requires_grad_()
    given = run.s["pgi_given"]
    log_p = run.attacked()(begun).log_softmax(1)
    label = torch.full_like(log_p, (1 - given) / 9)
    label[range(len(y)), y] = given
    (up,) = torch.autograd.grad(-(label * log_p).sum(), begun)
    size = sum(g.abs().sum() for g in up)
    x_adv = []
    for i, place in enumerate(index):
        momentum = up[i] / size + run.s["pgi_decay"] * past[i]
        low, high = (-x[i]).clamp(min=-eps), (1 - x[i]).clamp(max=eps)
        following = prior[i] + eps * momentum.sign()
        kept["prior"][place] = following.clamp(low, high)
        kept["momentum"][place] = momentum
        x_adv.append(x[i] + (prior[i] + eps * up[i].sign()).clamp(low, high))
    run.begun = begun.detach()
    return torch.stack(x_adv)


def at_priors(run, x, x_adv, index) -> torch.Tensor:
    """FGSM-PGI's: where its step began."""
    return run.begun


def helpers(run, x, x_adv, index) -> torch.Tensor:
    """HAT's: as many times the way to the adversarial input."""
    h = run.s["hat_reach"]
    return (1 - h) * x + h * x_adv


def _cross_entropy(logits, y) -> torch.Tensor:
    return -logits.log_softmax(1)[range(len(y)), y].sum()
