"""The threat model's ball, an image at a time. Nothing of rofit computes here."""

import torch


def ball(x, x_adv, spec) -> torch.Tensor:
    """Return *x_adv* in the ball around *x*, then in [0, 1]."""
    if spec.norm == "linf":
        near = torch.max(torch.min(x_adv, x + spec.epsilon), x - spec.epsilon)
        return near.clamp(0, 1).detach()
    rows = []
    for one, other in zip(x, x_adv, strict=True):
        delta = other - one
        length = delta.square().sum().sqrt().item()
        rows.append(one + delta * min(1.0, spec.epsilon / max(length, 1e-300)))
    return torch.stack(rows).clamp(0, 1).detach()
