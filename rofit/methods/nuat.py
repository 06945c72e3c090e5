"""NuAT: a clean loss, and one step away by the nuclear norm of what changes in a batch.

CE(y, f(X)) + lambda ||z(X) - z(X')||_* / B,   z(X) the logits (B, K) of a batch,
X' one step up CE(y, f) in even steps of an epoch, up the same sum in odd ones

Source: Sriramanan et al. 2021 and its code (NuAT_cifar10.py): lambda grows by the epoch
from 0 to 4.5 after nine tenths of the run, noise of half a radius or its negative in
each pixel, a step of one radius. Differs: the schedule is the run's (there 100 epochs
of batches of 64, the rate up to 0.1 after 40 and on a line to 0 after 90), and
BatchNorm's statistics take the clean batch before the adversarial one (there clean,
adversarial, clean). What stays under ``--recipe as_released``: the line ends after 100
epochs (there it is left after 80, for 0.02, 0.002 after 86 and 0.0002 after 91); the
attack looks at the clean logits in eval mode, as at the others (there in train mode; in
the FastAT Benchmark all are, as with ``attack_bn=train``), with statistics that have
not seen the clean batch (there they have); the norm of a shorter last batch is over its
own size (there over the others').
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from rofit.attacks.geometry import Signs
from rofit.attacks.pgd import PGD
from rofit.labels.fixed import Smoothed
from rofit.losses import cross_entropy, nuclear_norm, soft_cross_entropy
from rofit.methods.inner import CleanBatch, InnerMaximisation, clean_prediction
from rofit.methods.method import Context, Method, StepOutputs, require_linf
from rofit.settings.knobs import Knobs, knob
from rofit.settings.spec import epoch_at

BRINGS = frozenset({"attack", "objective"})
COUPLES = "the nuclear norm of its predictions"
AS_RELEASED = {
    "normalise": False,
    "extra_passes": ("clean",),
    "epochs": 100,
    "batch_size": 64,
    "schedule": "cyclic",
}


@dataclass(frozen=True)
class Params(Knobs):
    """The weight of the norm, and the noise."""

    nuat_weight: float = knob(
        4.5, "largest weight of the nuclear norm (NuAT, ResNet-18)", low=0, high=1e6
    )
    nuat_full: float = knob(
        0.9, "fraction of the run from which the weight is whole (NuAT)", low=0, high=1
    )
    nuat_noise: float = knob(0.5, "noise of a pixel over radius (NuAT)", low=0, high=1)


class ClimbedLabels(NamedTuple):
    """What `climbed` compares with, a row an example.

    Attributes:
        y: given classes, (B,).
        clean: logits on the clean inputs, (B, K).
        weight: of the nuclear norm in this step, (B,).
    """

    y: Tensor
    clean: Tensor
    weight: Tensor


def climbed(logits: Tensor, labels: ClimbedLabels) -> Tensor:
    """Return what the attack climbs on, an example's part of it: (B, K) -> (B,)."""
    y, clean, weight = labels
    return cross_entropy(logits, y) + weight * nuclear_norm(clean - logits)


@dataclass(frozen=True, kw_only=True)
class Alternating(InnerMaximisation):
    """An attack that climbs on the norm in every second step.

    Attributes:
        largest: weight of the norm at last.
        full: fraction of the run from which on it has that weight.
        weight: of the norm in the epoch, in the objective; 0-d.
        climbed_weight: of the norm in the step's attack; 0-d.
    """

    largest: float
    full: float
    weight: Tensor = field(compare=False)
    climbed_weight: Tensor = field(compare=False)

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Set the weight of the epoch (counted from 0)."""
        full = epoch_at(self.full, epochs)
        self.weight.fill_(self.largest * (epoch / full if epoch < full else 1.0))

    def begin_step(self, step: int) -> None:
        """Let the attack climb on the norm if the step's number is odd."""
        self.climbed_weight.copy_(step % 2 * self.weight)


def build(params: Params, context: Context) -> Method:
    """Return clean training with the nuclear norm of what one step changes.

    Raises:
        UserError: the threat is of another norm than linf.
    """
    require_linf("nuat", context)
    threat, bn = context.attack.threat, context.attack.bn
    weight = torch.zeros((), dtype=torch.float64, device=context.y.device)
    climbed_weight = torch.zeros_like(weight)

    def labels(clean: CleanBatch) -> ClimbedLabels:
        logits = clean_prediction(clean)
        weights = climbed_weight.to(logits).expand(len(logits))
        return ClimbedLabels(clean.y, logits, weights)

    def objective(outputs: StepOutputs) -> dict[str, Tensor]:
        assert outputs.clean is not None
        norm = nuclear_norm(outputs.clean - outputs.logits)
        return {
            "cross_entropy": soft_cross_entropy(outputs.clean, outputs.soft),
            "nuclear_norm": weight * norm,
        }

    inner = Alternating(
        # Not compiled: that fills batches up, and the norm looks at a whole batch.
        attack=PGD(threat, 1, threat.epsilon, bn),
        loss=climbed,
        labels=labels,
        start=Signs(params.nuat_noise),
        largest=params.nuat_weight,
        full=params.nuat_full,
        weight=weight,
        climbed_weight=climbed_weight,
    )
    return Method(Smoothed(context.n_classes), inner, objective, learns_clean=True)
