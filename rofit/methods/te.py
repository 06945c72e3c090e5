"""TE: agree with the ensemble of one's past predictions on the clean inputs.

Source: Dong et al. 2022 and its code: momentum 0.9, from epoch 90 of 200 on (counted
from 1), weight 300 from epoch 150 on; the attack climbs on the same sum. Differs: the
attack's start in l2 is uniform in the ball (there, 0.001 N(0, 1)), and inside [0, 1]
(there outside where pixels are saturated). Nothing of it stays under ``--recipe
as_released``.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from rofit.labels.ensembled import Ensembled
from rofit.losses import (
    EnsembleLabels,
    cross_entropy,
    ensemble_loss,
    squared_distance,
)
from rofit.methods.inner import CleanBatch, InnerMaximisation
from rofit.methods.method import Context, Method, StepOutputs
from rofit.settings.knobs import Knobs, knob

BRINGS = frozenset({"labels", "objective"})
AS_RELEASED = {
    "val_size": 0,
    "normalise": False,
    "start_clamp": False,
    "l2_start": "gaussian",
}


@dataclass(frozen=True)
class Params(Knobs):
    """Settings of the ensembles."""

    te_momentum: float = knob(0.9, "of the ensembles (TE)", low=0, high=1)
    te_weight: float = knob(
        300.0, "largest weight of the distance (TE)", low=0, high=1e6
    )
    te_start: float = knob(
        0.445, "fraction of the run without ensembles (TE)", low=0, high=1
    )
    te_full: float = knob(
        0.745, "fraction of the run from which the weight is whole (TE)", low=0, high=1
    )


def build(params: Params, context: Context) -> Method:
    """Return CE(y, f(x')) + w(t) mean_k (f_k(x') - q_k)^2, q the ensembles."""
    labels = Ensembled(
        context.y,
        context.n_classes,
        momentum=params.te_momentum,
        start=params.te_start,
        full=params.te_full,
        largest=params.te_weight,
    )

    def objective(outputs: StepOutputs) -> dict[str, Tensor]:
        distance = squared_distance(outputs.logits, outputs.soft)
        return {
            "cross_entropy": cross_entropy(outputs.logits, outputs.y),
            "distance": labels.weight * distance,
        }

    def ensembles(clean: CleanBatch) -> EnsembleLabels:
        soft = labels.current(clean.index, clean.y)
        hard = F.one_hot(clean.y, context.n_classes).to(soft)
        weight = labels.weight.to(soft).expand(len(soft))
        return EnsembleLabels(hard, soft, weight)

    inner = InnerMaximisation(context.attack, ensemble_loss, ensembles)
    return Method(labels, inner, objective)
