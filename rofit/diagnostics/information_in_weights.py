"""Information in weights: how much of the data the weights have kept.

Weights that are far from the prior in directions to which the examples' losses are
sensitive carry information about the examples. Nothing but the dominant, quadratic part
of the bound is measured: compare it between runs that share initial weights, images and
seed, and not with a number of nats.
"""

from itertools import product
from typing import ClassVar

import torch
from torch import Tensor

from rofit.diagnostics.diagnostic import (
    Column,
    EpochDiagnostic,
    Measured,
    Row,
    Schedule,
)
from rofit.diagnostics.fisher_trace import draw_classes
from rofit.diagnostics.prior import trained_prior
from rofit.diagnostics.slopes import slopes, weight_layers
from rofit.diagnostics.view import EpochView, chunks
from rofit.modes import evaluating

# Images a pass, whose activations are all kept, by kind of device.
CHUNK = {"cpu": 64, "cuda": 256}


class InformationInWeights(EpochDiagnostic):
    """Quadratic form of the Fisher information in the way d = w - w0 of the weights.

        iiw_fisher_l = (1/M) sum_i (d_l^T grad_l l_i)^2     with single gradients
        iiw_code_l   = ((1/M) sum_i d_l^T grad_l l_i)^2     with the mean gradient

    for the weights of each convolution and linear layer l (``layer`` is its name;
    biases and BatchNorm are left out), and their sum over layers (``layer = all``:
    block-diagonal). By Jensen code <= fisher. ``prior`` names w0: ``initial`` weights
    of the run, ``zero``, or weights ``trained`` on the validation images alone, where
    the run has any (see `trained_prior`). M = 256, the first training images, clean and
    attacked with given classes; eval mode, fp32. ``labels`` is ``given``, or
    ``sampled`` from the model (the true Fisher information; fisher only: a mean
    gradient of drawn labels is noise around zero).

    Source: docs/diagnostics.md, "Information in weights": iiw_fisher is ours, after the
    PIB paper; iiw_code is the formula of that paper's code.
    Differs: natural units; neither is multiplied by the number of training images.
    Differs: the code sums the mean gradients of 10 batches of size B (1000 or 200),
    drawn with replacement, and divides by the number N_b = ceil(n / B) of batches in
    the n training images. We give its full-data variant, for which these M images are
    the data: no draw. Times (10 / N_b)^2 it is what the code's scale expects.
    Differs: the code knows the prior from validation images only.
    """

    columns: ClassVar[dict[str, Column]] = {
        "iiw_fisher": Column("nats^2", "mean_i (d^T grad l_i)^2, by layer and summed"),
        "iiw_code": Column("nats^2", "(mean_i d^T grad l_i)^2, by layer and summed"),
    }
    cost: ClassVar[str] = (
        "five times a run about three gradients of 256 images, clean and attacked, and "
        "the attack on them; once ten epochs on the validation images"
    )
    when: ClassVar[Schedule] = Schedule(5)
    n: ClassVar[int] = 256

    def __init__(self) -> None:
        """Begin without a trained prior: it is made again after every resume."""
        self.prior: dict[str, Tensor] = {}

    def measure(self, view: EpochView) -> Measured:
        """Return a row a layer, prior, kind of labels and attack."""
        weights = {n: m.weight.detach() for n, m in weight_layers(view.model).items()}
        ways = {
            "initial": {n: w - view.initial[f"{n}.weight"] for n, w in weights.items()},
            "zero": weights,
        }
        held_out = view.splits.get("val")
        if held_out is not None and len(held_out.y) > 1:
            x = view.clean("val", len(held_out.y))
            self.prior = self.prior or trained_prior(
                view.model, view.initial, x, held_out.y, view.spec.seed
            )
            ways["trained"] = {
                n: w - self.prior[f"{n}.weight"] for n, w in weights.items()
            }
        y = view.splits["train"].y[: self.n]
        rows: list[Row] = []
        for attack in view.inputs:
            images = view.clean if attack == "none" else view.adversarial
            x = images("train", self.n)
            with torch.no_grad(), evaluating(view.model):
                drawn = draw_classes(view, view.model(x))
            kinds = {"given": y, "sampled": drawn}
            pieces = [
                slopes(view.model, x[i], [y[i], drawn[i]], [*ways.values()])
                for i in chunks(len(y), CHUNK[x.device.type])
            ]
            stacked = torch.cat(pieces, dim=2).double()
            for (labels, prior), by_image in zip(
                product(kinds, ways), stacked.flatten(0, 1), strict=True
            ):
                common = {"split": "train", "attack": attack, "n": len(y)}
                common |= {"labels": labels, "prior": prior}
                values = {"iiw_fisher": by_image.square().mean(dim=0)}
                if labels == "given":
                    values["iiw_code"] = by_image.mean(dim=0).square()
                rows += [common | row for row in _layer_rows(values, [*weights])]
        return Measured(rows)


def _layer_rows(values: dict[str, Tensor], names: list[str]) -> list[Row]:
    return [
        {"metric": metric, "layer": layer, "value": value}
        for metric, by_layer in values.items()
        for layer, value in zip(
            [*names, "all"], [*by_layer.tolist(), by_layer.sum().item()], strict=True
        )
    ]
