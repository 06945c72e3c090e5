"""MLCAT by loss scaling: examples that are fitted too well count as if they were not.

Source: Yu et al. 2022 and its code: smallest loss 1.5 on CIFAR-10. In that code the
factor is not detached, so that the scaled loss is constant and such examples have no
gradient at all: ``mlcat_detach=false`` does as it does, the default as its text says.
Differs: in that, and as `pgd_at` does, but that the code makes no clean pass. What
stays under ``--recipe as_released``: an epoch's first attack, from the second epoch on,
is in train mode (there in eval mode).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rofit.labels.fixed import Smoothed
from rofit.losses import soft_cross_entropy
from rofit.methods import pgd_at
from rofit.methods.inner import InnerMaximisation
from rofit.methods.method import Context, Method, StepOutputs
from rofit.settings.knobs import Knobs, knob

BRINGS = frozenset({"objective"})
AS_RELEASED = pgd_at.AS_RELEASED | {
    "extra_passes": ("adversarial",),
    "mlcat_detach": False,
}
_TINY = 1e-6  # a loss of zero has no factor


@dataclass(frozen=True)
class Params(Knobs):
    """The smallest loss, and which of two readings."""

    mlcat_floor: float = knob(1.5, "smallest loss, in nats (MLCAT)", low=0, high=1e6)
    mlcat_detach: bool = knob(True, "no gradient through the factor (MLCAT's text)")


def build(params: Params, context: Context) -> Method:
    """Return mean_i max(1, floor / l_i) l_i, l_i = CE(y_i, f(x_i'))."""

    def objective(outputs: StepOutputs) -> dict[str, Tensor]:
        loss = soft_cross_entropy(outputs.logits, outputs.soft)
        detached = loss.detach()
        scaled = params.mlcat_floor / detached.clamp_min(_TINY) * loss
        if not params.mlcat_detach:  # l (floor / l), whose gradient is zero
            scaled = torch.full_like(loss, params.mlcat_floor)
        small = detached < params.mlcat_floor
        return {"cross_entropy": torch.where(small, scaled, loss)}

    inner = InnerMaximisation(context.attack)
    return Method(Smoothed(context.n_classes), inner, objective)
