"""Attacks and inputs of single methods, as their sources write them."""

import torch


def n_fgsm(run, x, y, index, start) -> torch.Tensor:
    """Noise, clipped to [0, 1]; one step of its own length; clipped again."""
    noisy = (x + start).clamp(0, 1).requires_grad_()
    (up,) = torch.autograd.grad(_cross_entropy(run.copy()(noisy), y), noisy)
    step = run.s["nfgsm_step"] * run.spec.epsilon
    return (noisy + step * up.sign()).clamp(0, 1).detach()


def helpers(run, x, x_adv, index) -> torch.Tensor:
    """HAT's: as many times the way to the adversarial input."""
    h = run.s["hat_reach"]
    return (1 - h) * x + h * x_adv


def _cross_entropy(logits, y) -> torch.Tensor:
    return -logits.log_softmax(1)[range(len(y)), y].sum()
