"""RSLAD: a robust teacher's prediction on the clean inputs, in attack and loss alike.

Source: Zi et al. 2021 and its code (`rslad_loss.py`, `resnet18_rslad_cifar10.py`):
share 5/6; the attack climbs on the divergence from the teacher, from 0.001 N(0, 1), in
eval mode. In both its data sets a divergence counts a tenth: the mean over ten classes
on CIFAR-10, ten times that over a hundred on CIFAR-100. Differs: the schedule is the
run's (there 300 epochs, drops after 215, 260 and 285, weight decay 2e-4), and an attack
begins inside [0, 1] (there outside where pixels are saturated). What stays under
``--recipe as_released``: the teacher is a run of TRADES that has the student's network
and schedule (there WRN-34-10 as TRADES published it); the clean batch passes the
network first (there second), which BatchNorm's statistics see; l2 is not in that code.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rofit.attacks.geometry import gaussian_start
from rofit.labels.distilled import Distilled
from rofit.losses import soft_cross_entropy
from rofit.methods.inner import InnerMaximisation, assigned_labels
from rofit.methods.method import Context, Method, StepOutputs
from rofit.settings.knobs import Knobs, knob

BRINGS = frozenset({"labels", "objective"})
AS_RELEASED = {
    "val_size": 0,
    "normalise": False,
    "start_clamp": False,
    "epochs": 300,
    "weight_decay": 2e-4,
    "drops": (215 / 300, 260 / 300, 285 / 300),
}
# The run that must be there: its method, and which of its checkpoints teaches.
TEACHERS = {"robust": ("trades", "best")}


@dataclass(frozen=True)
class Params(Knobs):
    """How much the adversarial inputs count."""

    rslad_share: float = knob(
        5 / 6, "of the divergence at adversarial inputs (RSLAD)", low=0, high=1
    )


def build(params: Params, context: Context) -> Method:
    """Return a KL(t(x) || f(x')) / 10 + (1 - a) KL(t(x) || f(x)) / 10, t the teacher.

    x' maximises KL(t(x) || f(x')), of which the cross entropy has the gradient.
    """
    labels = Distilled(
        context.y,
        context.n_classes,
        [(context.teachers["robust"], 1.0)],
        temperature=1.0,
        on_clean=True,
    )

    def objective(outputs: StepOutputs) -> dict[str, Tensor]:
        assert outputs.clean is not None
        adversarial = _divergence(outputs.logits, outputs.soft)
        clean = _divergence(outputs.clean, outputs.soft)
        return {
            "divergence": params.rslad_share * adversarial,
            "clean_divergence": (1 - params.rslad_share) * clean,
        }

    inner = InnerMaximisation(
        context.attack, soft_cross_entropy, assigned_labels, start=gaussian_start
    )
    return Method(labels, inner, objective, learns_clean=True)


def _divergence(logits: Tensor, soft: Tensor) -> Tensor:
    """Return ``sum_k soft_k (log(soft_k + 1e-5) - log p_k) / 10``, as that code does.

    (B, K), (B, K) -> (B,), in nats over ten.
    """
    entropy = -(soft * torch.log(soft + 1e-5)).sum(dim=1)
    return (soft_cross_entropy(logits, soft) - entropy) / 10
