"""ADR: labels rectified by a teacher that is the network's own moving average.

Source: Wu et al. 2024 and its code, CIFAR-10: temperature 2.5 to 2.0, share 0.7 to
0.95, decay 0.995; the attack climbs on the same labels. CIFAR-100 has temperatures 1.5
to 1.0. Differs: momentum is not Nesterov's, and the attack is in eval mode (there in
train mode). What stays under ``--recipe as_released``: the last, shorter batch is kept.
"""

from dataclasses import dataclass

from rofit.labels.rectified import Rectified
from rofit.methods.inner import ATTACK_LABELS, InnerMaximisation
from rofit.methods.method import Context, Method, soft_label_objective
from rofit.settings.knobs import Knobs, knob

BRINGS = frozenset({"labels"})
AS_RELEASED = {"val_size": 0, "attack_bn": "train", "nesterov": True}


@dataclass(frozen=True)
class Params(Knobs):
    """Settings of the teacher and its labels."""

    adr_decay: float = knob(0.995, "of the teacher's weights (ADR)", low=0, high=1)
    adr_hot: float = knob(
        2.5, "temperature at first (ADR, CIFAR-10)", low=0.01, high=1000
    )
    adr_cool: float = knob(
        2.0, "temperature at last (ADR, CIFAR-10)", low=0.01, high=1000
    )
    adr_first: float = knob(0.7, "teacher's share at first (ADR)", low=0, high=1)
    adr_last: float = knob(0.95, "teacher's share at last (ADR)", low=0, high=1)
    attack_labels: str = knob(
        "assigned",
        "labels whose loss the attack maximises (ADR)",
        choices=tuple(ATTACK_LABELS),
    )


def build(params: Params, context: Context) -> Method:
    """Return adversarial training on lambda_i P_i + (1 - lambda_i) y_i."""
    labels = Rectified(
        context.model,
        context.y,
        context.n_classes,
        decay=params.adr_decay,
        temperatures=(params.adr_hot, params.adr_cool),
        shares=(params.adr_first, params.adr_last),
        precision=context.precision,
    )
    inner = InnerMaximisation(context.attack, *ATTACK_LABELS[params.attack_labels])
    return Method(labels, inner, soft_label_objective)
