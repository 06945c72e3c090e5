"""The norm of the training step's gradient: what Figure 1 (a) is about.

With BatchNorm the loss does not change when a layer's weights are scaled, so its
gradient grows as the weights shrink under weight decay. The norm alone can therefore
rise without any memorisation; the product with the weights' norm is not fooled by that.
"""

from typing import ClassVar

import torch
from torch import Tensor

from rofit.diagnostics.diagnostic import Column, StepView


class GradientNorm:
    """Norm of the gradient of the training loss in all parameters, each step.

    Mean-reduced loss with the method's own labels, train mode, the training
    adversaries, weight decay excluded. Source: ours (docs/diagnostics.md, "Gradient
    norm"); which norm the paper's Figure 1 shows is not known to us.
    """

    columns: ClassVar[dict[str, Column]] = {
        "gradient_norm": Column("nats / weight", "||grad_w mean loss||_2"),
        "weight_norm": Column("weight", "||w||_2 before the step"),
        "gradient_weight_product": Column("nats", "||grad_w mean loss||_2 ||w||_2"),
    }
    cost: ClassVar[str] = "two norms over the parameters a step, no extra pass"

    def measure(self, view: StepView) -> dict[str, Tensor]:
        """Return the three norms of this step as scalars."""
        parameters: list[Tensor] = list(view.model.parameters())
        gradients = [p.grad for p in parameters if p.grad is not None]
        gradient, weight = _norm(gradients), _norm(parameters)
        return {
            "gradient_norm": gradient,
            "weight_norm": weight,
            "gradient_weight_product": gradient * weight,
        }


def _norm(tensors: list[Tensor]) -> Tensor:
    norms = torch._foreach_norm(tensors)
    return torch.linalg.vector_norm(torch.stack(list(norms)))
