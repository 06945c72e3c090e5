"""Fast adversarial training: one long step from a random start.

Source: Wong et al. 2020: a step of 10/255 inside 8/255 (1.25 times the radius) from a
uniform start. Differs: the attack is in eval mode (there in train mode), and the
schedule is the run's (there 15 epochs, up to 0.2 and back to 0). What stays under
``--recipe as_released``: the rate is highest after two fifths of the run (there after
half), and precision is the run's (there half).
"""

from dataclasses import dataclass, replace

from rofit.labels.fixed import Smoothed
from rofit.methods.inner import InnerMaximisation
from rofit.methods.method import Context, Method, soft_label_objective
from rofit.settings.knobs import Knobs, knob

BRINGS = frozenset({"attack"})
AS_RELEASED = {
    "val_size": 0,
    "attack_bn": "train",
    "epochs": 15,
    "lr": 0.2,
    "schedule": "cyclic",
}


@dataclass(frozen=True)
class Params(Knobs):
    """The length of the step."""

    reach: float = knob(1.25, "step over radius (Wong 2020)", low=0, high=100)


def build(params: Params, context: Context) -> Method:
    """Return adversarial training on FGSM's examples from a random start."""
    step = params.reach * context.attack.threat.epsilon
    inner = InnerMaximisation(replace(context.attack, steps=1, step_size=step))
    return Method(Smoothed(context.n_classes), inner, soft_label_objective)
