"""What slow twins do to weights: the length of a perturbation, a moving average."""

from typing import Any

import torch


def lengthened(kind: str, s: dict[str, Any], total, weights) -> list[torch.Tensor]:
    """Return 5.6's gamma ||w|| d / ||d||, a tensor each; 5.10's of all together."""
    if kind == "awp":
        gamma = s["awp_gamma"]
        return [
            gamma * w.norm() * d / d.norm() for w, d in zip(weights, total, strict=True)
        ]
    size = torch.cat([w.flatten() for w in weights]).norm()
    length = torch.cat([d.flatten() for d in total]).norm()
    return [s["wp_gamma"] * size * d / length for d in total]


def follow(mine, theirs, decay: float) -> None:
    """5.12: e <- d e + (1 - d) w, buffers too; counters as they are."""
    for (key, a), b in zip(
        mine.state_dict().items(), theirs.state_dict().values(), strict=True
    ):
        if key.endswith("num_batches_tracked"):
            a.copy_(b)
        else:
            a.copy_(decay * a + (1 - decay) * b)
