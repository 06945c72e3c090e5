"""Trace of the Fisher information: how strongly single labels pull on the weights.

Labels that the network draws itself pull with the strength of its own uncertainty;
where given labels pull harder, they tell it something that it does not believe.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rofit.diagnostics.diagnostic import (
    Column,
    EpochDiagnostic,
    Measured,
    Row,
    Schedule,
)
from rofit.diagnostics.sample_gradients import gradient_norms
from rofit.diagnostics.view import EpochView
from rofit.modes import evaluating
from rofit.seeding import generator


class FisherTrace(EpochDiagnostic):
    """Mean squared norms of single gradients: labels given, or drawn from the model.

        given    = mean_i ||grad_w l(x_i, y_i)||^2          (the empirical Fisher's)
        sampled  = mean_i ||grad_w l(x_i, k_i)||^2,  k_i ~ p_i     (the true Fisher's)

    One draw k_i an image, so the second is unbiased and noisy. On the first 256
    training images, clean and attacked with given classes; eval mode, fp32, all
    parameters.

    Source: ours (docs/diagnostics.md, "Fisher trace"): the difference is larger when
    labels are memorised against the model.
    """

    columns: ClassVar[dict[str, Column]] = {
        "fisher_trace_given": Column("nats^2 / weight^2", "mean ||grad_w l_i||^2"),
        "fisher_trace_sampled": Column(
            "nats^2 / weight^2", "the same with classes drawn from the model's p_i"
        ),
        "fisher_trace_difference": Column("nats^2 / weight^2", "given minus sampled"),
    }
    cost: ClassVar[str] = (
        "twice a run two single gradients of 256 images, clean and attacked, and "
        "the attack on them"
    )
    when: ClassVar[Schedule] = Schedule(2)
    n: ClassVar[int] = 256

    def measure(self, view: EpochView) -> Measured:
        """Return both traces and their difference, clean and attacked."""
        y = view.splits["train"].y[: self.n]
        rows: list[Row] = []
        for attack in view.inputs:
            images = view.clean if attack == "none" else view.adversarial
            x = images("train", self.n)
            with torch.no_grad(), evaluating(view.model):
                logits = view.model(x)
            kinds = [
                F.one_hot(classes, logits.shape[1]).to(logits)
                for classes in (y, draw_classes(view, logits))
            ]
            given, sampled = (
                norms["sample_gradient_norm"].double().square().mean().item()
                for norms in gradient_norms(view.model, x, kinds)
            )
            common = {"split": "train", "attack": attack, "n": len(y)}
            values = (given, sampled, given - sampled)
            rows += [
                common | {"metric": name, "value": value}
                for name, value in zip(self.columns, values, strict=True)
            ]
        return Measured(rows)


def draw_classes(view: EpochView, logits: Tensor) -> Tensor:
    """Return a class (n,) drawn from each softmax of the logits (n, K).

    The class with the largest p_k / e_k, e_k standard exponential: it is k with
    probability p_k. The e_k are those of the stream ``diagnostics, iiw`` of run and
    epoch: the same for clean and attacked images, and on every device.
    """
    stream = generator(view.spec.seed, "diagnostics", "iiw", view.epoch)
    waits = torch.empty(logits.shape, dtype=torch.float64)
    waits = waits.exponential_(generator=stream).to(logits.device)
    return (F.log_softmax(logits.double(), dim=1) - waits.log()).argmax(dim=1)
