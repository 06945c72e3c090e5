"""N-FGSM: one step from strong noise, and neither is cut to the ball.

x' = clip(x + eta + a eps sign(grad CE(f(x + eta), y))),  eta uniform in [-k eps, k eps]

Source: de Jorge et al. 2022 and its code: k 2, a 1; noise and result are clipped to
[0, 1] alone, so that x' is up to (k + a) eps away from x. Differs: the attack is in
eval mode (there in train mode), and the schedule is the run's (there 30 epochs, up to
0.2 and back to 0). What stays under ``--recipe as_released``: the rate is highest after
two fifths of the run (there after half, but on SVHN) and a step ahead; on SVHN the
radius is the same in all epochs (there it grows over the first five).
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rofit.labels.fixed import Smoothed
from rofit.methods.inner import InnerMaximisation
from rofit.methods.method import Context, Method, require_linf, soft_label_objective
from rofit.settings.knobs import Knobs, knob
from rofit.settings.threat import ThreatModel

BRINGS = frozenset({"attack"})
AS_RELEASED = {
    "val_size": 0,
    "attack_bn": "train",
    "epochs": 30,
    "lr": 0.2,
    "schedule": "cyclic",
}


@dataclass(frozen=True)
class Params(Knobs):
    """Sizes of noise and step."""

    nfgsm_noise: float = knob(
        2.0, "largest noise of a pixel over radius (N-FGSM)", low=0, high=100
    )
    nfgsm_step: float = knob(1.0, "step over radius (N-FGSM)", low=0, high=100)


@dataclass(frozen=True)
class Noise:
    """Draws the noise: uniform in [-reach eps, reach eps], whatever the ball."""

    reach: float

    def __call__(
        self, threat: ThreatModel, shape: torch.Size, generator: torch.Generator
    ) -> Tensor:
        """Return the noise (B, C, H, W), on the CPU."""
        largest = self.reach * threat.epsilon
        return torch.empty(shape).uniform_(-largest, largest, generator=generator)


def build(params: Params, context: Context) -> Method:
    """Return adversarial training on one step from noise.

    Raises:
        UserError: the threat is of another norm than linf.
    """
    require_linf("n_fgsm", context)
    threat = context.attack.threat
    step = params.nfgsm_step * threat.epsilon
    # A ball that holds noise and step leaves the range of pixels as the only limit.
    farthest = min(params.nfgsm_noise * threat.epsilon + step, 1.0)
    attack = replace(
        context.attack,
        threat=replace(threat, epsilon=farthest),
        steps=1,
        step_size=step,
    )
    inner = InnerMaximisation(attack, start=Noise(params.nfgsm_noise))
    return Method(Smoothed(context.n_classes), inner, soft_label_objective)
