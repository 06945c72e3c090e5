"""ReBAT: stay near the prediction of averaged weights, which are evaluated.

Source: Wang et al. 2023 and its code (`train_cifar_wa.py`), PreActResNet-18: average
and divergence from epoch 105 of 200 on (counted from 0), decay 0.999, weight 1; WRN-34
with CutMix has weight 2. The other half of that method is its milder schedule, a field
of the run: ``drop_factor=2/3`` (1/1.7 in ReBAT++, 1/4 with CutMix). Until the average
begins it is a copy of the network, and there is no divergence. Differs: a drop is to a
tenth, and as `pgd_at` does. What stays under ``--recipe as_released``: the average
predicts in eval mode (there in train mode in its first epoch, in eval mode once it was
evaluated); images and perturbations are in single precision (there half).
"""

from dataclasses import dataclass

from torch import Tensor

from rofit.labels.averaged import Averaged
from rofit.losses import cross_entropy, soft_divergence
from rofit.methods.inner import InnerMaximisation
from rofit.methods.method import Context, Method, StepOutputs
from rofit.settings.knobs import Knobs, knob
from rofit.weights.averages import MovingAverage

BRINGS = frozenset({"labels", "objective", "average"})
AS_RELEASED = {  # the code goes on from Rice et al.'s, with 1,000 images held out
    "crop_fill": "reflect",
    "attack_bn": "train",
    "l2_start": "radius",
    "extra_passes": ("adversarial", "clean_after_step"),
    "schedule": "piecewise",
    "drop_factor": 2 / 3,
}


@dataclass(frozen=True)
class Params(Knobs):
    """The average, and how much its prediction counts."""

    rebat_beta: float = knob(
        1.0, "weight of the divergence (ReBAT, ResNet-18)", low=0, high=1e6
    )
    rebat_decay: float = knob(
        0.999, "of the averaged weights a step (ReBAT)", low=0, high=1
    )
    rebat_start: float = knob(
        0.525, "fraction of the run without average (ReBAT)", low=0, high=1
    )


def build(params: Params, context: Context) -> Method:
    """Return CE(y, f(x')) + beta KL(e(x') || f(x')), e <- d e + (1 - d) w."""
    average = MovingAverage(context.model, params.rebat_decay, params.rebat_start)
    labels = Averaged(
        context.y,
        context.n_classes,
        average.network,
        start=params.rebat_start,
        precision=context.precision,
    )

    def objective(outputs: StepOutputs) -> dict[str, Tensor]:
        beta = params.rebat_beta if labels.active else 0.0
        return {
            "cross_entropy": cross_entropy(outputs.logits, outputs.y),
            "divergence": beta * soft_divergence(outputs.logits, outputs.soft),
        }

    inner = InnerMaximisation(context.attack)
    return Method(labels, inner, objective, average=average)
