"""FGSM-PGI: one step from where past gradients of the image lead.

CE(label, f(x')) + w mean_k (z_k(x') - z_k(x + p_i))^2,   z the logits
g = grad CE(label, f(x + p_i)) over its length (sum of magnitudes) in the batch
x' = proj(x + p_i + eps sign(g)),  m_i <- g + d m_i,  p_i <- proj(p_i + eps sign(m_i))

Source: Jia et al. 2022 and its code (FGSM_MEP.py, the prior from all previous epochs):
d 0.3, w 10, label 0.6 for the given class and the rest shared by the others; after
every 40 of 110 epochs (10 on CIFAR-100) m begins at 0 and p at plus or minus eps in
each pixel. A prior is kept as it is, whatever the next crop and flip, and x + p_i is
not clipped to [0, 1]. It keeps three numbers a pixel of the training set on the device,
1.8 GB for CIFAR-10, and two of them in checkpoints. Differs: the schedule is the run's
(there 110 epochs, drops after 100 and 105), and the gradient at x + p_i is taken in
eval mode (there in train mode, by the pass whose logits the distance compares). What
stays under ``--recipe as_released``: that pass is made twice, before and after the one
at x' (there once, before), and BatchNorm's statistics see both.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from rofit.attacks.geometry import Signs
from rofit.attacks.pgd import PGD, input_gradient, moved
from rofit.labels.fixed import Smoothed
from rofit.losses import soft_cross_entropy
from rofit.methods.inner import ATTACK_LABELS, CleanBatch, InnerMaximisation
from rofit.methods.method import Context, Method, StepOutputs, require_linf
from rofit.settings.knobs import Knobs, knob
from rofit.settings.spec import epoch_at

BRINGS = frozenset({"labels", "attack", "objective"})
COUPLES = "the length of its gradient"
AS_RELEASED = {
    "val_size": 0,
    "normalise": False,
    "attack_bn": "train",
    "epochs": 110,
    "drops": (100 / 110, 105 / 110),
}


@dataclass(frozen=True)
class Params(Knobs):
    """Settings of the priors, and of the loss."""

    pgi_decay: float = knob(0.3, "of past gradients an epoch (FGSM-PGI)", low=0, high=1)
    pgi_reset: float = knob(
        0.3637,
        "fraction of the run after which priors begin anew (FGSM-PGI)",
        low=0,
        high=1,
    )
    pgi_weight: float = knob(
        10.0, "weight of the distance of logits (FGSM-PGI)", low=0, high=1e6
    )
    pgi_given: float = knob(
        0.6, "probability of the given class in labels (FGSM-PGI)", low=0, high=1
    )


@dataclass(frozen=True, kw_only=True)
class PriorGuided(InnerMaximisation):
    """One step from each image's prior, which a moving sum of its gradients makes.

    Attributes:
        attack: threat, and the step's length.
        decay: of past gradients.
        reset: fraction of the run after which priors begin anew.
        fresh: whether they do in this epoch; 0-d.
        prior: perturbation that an image's next step begins with, (N, C, H, W).
        momentum: moving sum of its gradients, (N, C, H, W).
        begun: perturbation that its last step began with, (N, C, H, W).
    """

    attack: PGD
    decay: float
    reset: float
    fresh: Tensor = field(compare=False)
    prior: Tensor = field(compare=False)
    momentum: Tensor = field(compare=False)
    begun: Tensor = field(compare=False)

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Say whether priors begin anew in the epoch (counted from 0)."""
        self.fresh.fill_(epoch % max(epoch_at(self.reset, epochs), 1) == 0)

    def maximise(self, clean: CleanBatch, start: Tensor) -> Tensor:
        """Return the inputs to train on, (B, C, H, W), and keep the next priors."""
        x, index, attack = clean.x, clean.index, self.attack
        prior = torch.where(self.fresh, start, self.prior[index])
        past = torch.where(self.fresh, 0.0, self.momentum[index])
        begun = x + prior
        gradient = input_gradient(clean.network, begun, self.loss, self.labels(clean))
        length = gradient.abs().sum().clamp_min(torch.finfo(gradient.dtype).tiny)
        momentum = gradient / length + self.decay * past
        following = moved(attack.threat, x, begun, momentum, attack.step_size) - x
        self.begun[index] = prior.to(self.begun)
        self.momentum[index] = momentum.to(self.momentum)
        self.prior[index] = following.to(self.prior)
        return moved(attack.threat, x, begun, gradient, attack.step_size)

    def state_dict(self) -> dict[str, Any]:
        """Return priors and moving sums, two (N, C, H, W) float32."""
        return {"prior": self.prior, "momentum": self.momentum}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.prior.copy_(state["prior"])
        self.momentum.copy_(state["momentum"])


def build(params: Params, context: Context) -> Method:
    """Return adversarial training from priors, with a loss on the logits' change.

    Raises:
        UserError: the threat is of another norm than linf.
    """
    require_linf("fgsm_pgi", context)
    threat, bn, k = context.attack.threat, context.attack.bn, context.n_classes
    loss, labels = ATTACK_LABELS["assigned"]
    shape = (len(context.y), *context.image_shape)
    prior, momentum, begun = (
        torch.zeros(shape, device=context.y.device) for _ in range(3)
    )
    inner = PriorGuided(
        attack=PGD(threat, 1, threat.epsilon, bn),
        loss=loss,
        labels=labels,
        start=Signs(1.0),
        decay=params.pgi_decay,
        reset=params.pgi_reset,
        fresh=torch.ones((), dtype=torch.bool, device=context.y.device),
        prior=prior,
        momentum=momentum,
        begun=begun,
    )

    def at_priors(x: Tensor, x_adv: Tensor, index: Tensor) -> Tensor:
        return x + inner.begun[index]

    def objective(outputs: StepOutputs) -> dict[str, Tensor]:
        assert outputs.extra is not None
        change = F.mse_loss(outputs.logits, outputs.extra, reduction="none")
        return {
            "cross_entropy": soft_cross_entropy(outputs.logits, outputs.soft),
            "distance": params.pgi_weight * change.mean(dim=1),
        }

    smoothed = Smoothed(k, (1 - params.pgi_given) * k / (k - 1))
    return Method(smoothed, inner, objective, extra_inputs=at_priors)
