"""Pure losses on logits, one value per example; the caller chooses the reduction."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_ROUNDS = 50  # 1.5^40 is 1e7; ten for the rest of the way


def soft_cross_entropy(logits: Tensor, soft: Tensor) -> Tensor:
    """Return ``-sum_k soft_k log p_k`` for each example.

    Args:
        logits: (B, K).
        soft: label distributions (B, K), each row summing to one.

    Returns:
        (B,), in nats, no reduction.

    Source: the cross entropy CE(q, p) of docs/method.md, "Notation".
    """
    return -(soft * F.log_softmax(logits, dim=1)).sum(dim=1)


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Return ``-log p_y`` for each example: logits (B, K), y (B,) -> (B,), in nats."""
    return F.cross_entropy(logits, y, reduction="none")


def reverse_cross_entropy(
    logits: Tensor, soft: Tensor, *, floor: float = 1e-4
) -> Tensor:
    """Return ``-sum_k p_k log max(soft_k, floor)`` for each example.

    Args:
        logits: (B, K).
        soft: label distributions (B, K).
        floor: smallest label probability, so that the logarithm is finite.

    Returns:
        (B,), in nats, no reduction.

    Source: Wang et al. 2019, symmetric cross entropy: label floor 1e-4 in its code.
    Differs: predictions are not clamped at 1e-7, here, where they only multiply, nor in
    the forward term, where that code clamps them inside the logarithm.
    """
    p = F.softmax(logits, dim=1)
    return -(p * torch.log(soft.clamp_min(floor))).sum(dim=1)


def margin(logits: Tensor, y: Tensor) -> Tensor:
    """Return how far the highest wrong logit is above the right one: the C&W loss.

    Args:
        logits: (B, K).
        y: classes (B,).

    Returns:
        (B,), ``max_{k != y} z_k - z_y``; positive where the prediction is wrong.

    Source: Carlini and Wagner 2017, f_6 without its floor, as attacks of this field
    that climb on it inside a ball do.
    """
    right = F.one_hot(y, logits.shape[1]).bool()
    highest = logits.masked_fill(right, -torch.inf).amax(dim=1)
    return highest - logits.masked_fill(~right, 0.0).sum(dim=1)


def divergence(logits: Tensor, origin: Tensor) -> Tensor:
    """Return ``KL(softmax(origin) || softmax(logits))`` for each example, in nats.

    Args:
        logits: (B, K).
        origin: the logits that are departed from, (B, K); gradients go through both.
    """
    log_p, log_q = F.log_softmax(origin, dim=1), F.log_softmax(logits, dim=1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=1)


def soft_divergence(logits: Tensor, soft: Tensor) -> Tensor:
    """Return ``KL(soft || softmax(logits))`` for each example, in nats.

    Args:
        logits: (B, K).
        soft: label distributions (B, K); where one is 0 its term is 0.
    """
    log_p = F.log_softmax(logits, dim=1)
    return (torch.xlogy(soft, soft) - soft * log_p).sum(dim=1)


def squared_distance(logits: Tensor, soft: Tensor) -> Tensor:
    """Return ``mean_k (p_k - soft_k)^2`` for each example: (B, K), (B, K) -> (B,)."""
    return (F.softmax(logits, dim=1) - soft).square().mean(dim=1)


def nuclear_norm(matrix: Tensor) -> Tensor:
    """Return each row's part of the sum of a matrix's singular values.

    With A = U S V', ``||A||_* = sum_ik A_ik (U V')_ik``; a row's part is its sum over
    k. U V' is not followed by gradients: it is the gradient of the norm itself.

    Args:
        matrix: (B, K), a row an example.

    Returns:
        (B,), no reduction; their sum is the norm.

    Source: the norm of Sriramanan et al. 2021 (NuAT). Differs: singular values below
    some 1e-7 of the matrix's length count less, with a smaller gradient; none where
    the matrix is zero (there, that of any U V').
    """
    return (matrix * _polar_factor(matrix.detach())).sum(dim=1)


def _polar_factor(matrix: Tensor) -> Tensor:
    """Return U V' of a matrix U S V' by Newton's iteration (Schulz 1933).

    Of products alone, because a singular value decomposition waits for the device and
    cannot be captured as a CUDA graph. Each round multiplies a small singular value by
    1.5, and squares the distance from 1 of one that is near.
    """
    length = torch.linalg.vector_norm(matrix)
    factor = matrix / length.clamp_min(torch.finfo(matrix.dtype).tiny)
    for _ in range(_ROUNDS):
        factor = 1.5 * factor - 0.5 * (factor @ factor.T) @ factor
    return factor


class EnsembleLabels(NamedTuple):
    """What `ensemble_loss` compares with, a row an example.

    Attributes:
        hard: given labels, one-hot, (B, K).
        soft: the ensemble's predictions, (B, K).
        weight: of the distance from them, (B,).
    """

    hard: Tensor
    soft: Tensor
    weight: Tensor


def ensemble_loss(logits: Tensor, labels: EnsembleLabels) -> Tensor:
    """Return ``CE(hard, p) + weight mean_k (p_k - soft_k)^2`` for each example.

    Args:
        logits: (B, K).
        labels: hard and soft ones, and the weight.

    Returns:
        (B,), no reduction.

    Source: Dong et al. 2022 (temporal ensembling), its released code.
    """
    hard, soft, weight = labels
    return soft_cross_entropy(logits, hard) + weight * squared_distance(logits, soft)
