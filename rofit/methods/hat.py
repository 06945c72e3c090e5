"""HAT: examples beyond the ball as well, with the class that a standard network gives.

CE(y, f(x)) + beta KL(f(x) || f(x')) + gamma CE(s(x'), f(x + h (x' - x))),
s(x') the class that a network of standard training predicts of x'

Source: Rade and Moosavi-Dezfooli 2022 and its code: h 2, for CIFAR-10 beta 2.5 and
gamma 0.5; the attack and the first two terms are TRADES'; clean, adversarial and helper
inputs pass the network in this order, and helpers are not cut to [0, 1]. Its form with
cross entropy for the divergence (``--robust-loss ce``) is not here. Differs: the
schedule is the run's (there 50 epochs, one cycle up to 0.21), momentum is not
Nesterov's, and an attack begins inside [0, 1] (there outside where pixels are
saturated). What stays under ``--recipe as_released``: momentum is 0.9 (there it goes
from 0.95 to 0.85 and back as the rate goes up and down); the standard network is the
last checkpoint of its run (there, its best on the test images); in l2 an attack is
projected before it is clamped (there after), and stays where the gradient is zero
(there it moves at random).
"""

from dataclasses import dataclass

from torch import Tensor

from rofit.attacks.geometry import gaussian_start
from rofit.labels.distilled import PredictedClass
from rofit.losses import cross_entropy, divergence, soft_cross_entropy
from rofit.methods.inner import InnerMaximisation, clean_prediction
from rofit.methods.method import Context, Method, StepOutputs
from rofit.settings.knobs import Knobs, knob

BRINGS = frozenset({"labels", "objective"})
AS_RELEASED = {
    "val_size": 0,
    "normalise": False,
    "start_clamp": False,
    "epochs": 50,
    "lr": 0.21,
    "nesterov": True,
    "schedule": "one_cycle_steps",
}
# The run that must be there, and which of its checkpoints labels the helpers.
TEACHERS = {"clean": ("standard", "last")}


@dataclass(frozen=True)
class Params(Knobs):
    """Weights of the terms, and how far helpers are."""

    beta: float = knob(2.5, "weight of the divergence (HAT, CIFAR-10)", low=0, high=1e6)
    hat_weight: float = knob(
        0.5, "weight of the helpers' cross entropy (HAT, CIFAR-10)", low=0, high=1e6
    )
    hat_reach: float = knob(
        2.0, "a helper's perturbation over the attack's (HAT)", low=0, high=100
    )


def build(params: Params, context: Context) -> Method:
    """Return TRADES with a third term, on helper examples."""

    def helpers(x: Tensor, x_adv: Tensor, index: Tensor) -> Tensor:
        return x + params.hat_reach * (x_adv - x)

    def objective(outputs: StepOutputs) -> dict[str, Tensor]:
        assert outputs.clean is not None and outputs.extra is not None
        helper = soft_cross_entropy(outputs.extra, outputs.soft)
        return {
            "cross_entropy": cross_entropy(outputs.clean, outputs.y),
            "divergence": params.beta * divergence(outputs.logits, outputs.clean),
            "helper": params.hat_weight * helper,
        }

    labels = PredictedClass(context.y, context.n_classes, context.teachers["clean"])
    inner = InnerMaximisation(
        context.attack, divergence, clean_prediction, start=gaussian_start
    )
    return Method(labels, inner, objective, learns_clean=True, extra_inputs=helpers)
