"""SAT: self-adaptive training on top of TRADES.

Labels are the moving average of the clean predictions; an example counts by how sure
its label is. Source: Huang et al. 2020 and its code: momentum 0.9, from epoch 70 of 100
on (counted from 1), beta 6. Differs: radius, step and schedule are the run's (there
0.031, 0.007, 100 epochs, weight decay 2e-4), and an attack begins inside [0, 1] (there
outside where pixels are saturated). Nothing of it stays under ``--recipe as_released``.
"""

from dataclasses import dataclass, replace

from torch import Tensor

from rofit.labels.self_guided import SelfGuided
from rofit.losses import divergence, soft_cross_entropy
from rofit.methods import trades
from rofit.methods.method import Context, Method, StepOutputs
from rofit.settings.knobs import knob

BRINGS = frozenset({"labels", "objective"})
COUPLES = "the mean of its labels' confidence"
AS_RELEASED = {
    "val_size": 0,
    "normalise": False,
    "epsilon": 0.031,
    "step_size": 0.007,
    "start_clamp": False,
    "epochs": 100,
    "weight_decay": 2e-4,
    "drops": (0.74, 0.89, 0.99),  # its epochs count from 1
}


@dataclass(frozen=True)
class Params(trades.Params):
    """TRADES' weight, and the two settings of the labels."""

    sat_momentum: float = knob(0.9, "of the average of labels (SAT)", low=0, high=1)
    sat_start: float = knob(
        0.69, "fraction of the run trained on given labels (SAT)", low=0, high=1
    )


def build(params: Params, context: Context) -> Method:
    """Return mean_i w_i CE(t_i, f(x_i)) + beta KL(f(x_i) || f(x_i')), w_i ~ max t_i."""
    labels = SelfGuided(
        context.y,
        context.n_classes,
        r=1.0,
        momentum=params.sat_momentum,
        clean_share=1.0,
        start=params.sat_start,
    )

    def objective(outputs: StepOutputs) -> dict[str, Tensor]:
        assert outputs.clean is not None
        confidence = outputs.soft.amax(dim=1)
        weight = confidence / confidence.mean()
        return {
            "cross_entropy": weight * soft_cross_entropy(outputs.clean, outputs.soft),
            "divergence": params.beta * divergence(outputs.logits, outputs.clean),
        }

    return replace(trades.build(params, context), labels=labels, objective=objective)
