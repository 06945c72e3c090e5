"""PGD adversarial training: cross entropy of the given labels at PGD's examples.

Source: Madry et al. 2018, equation (2.1); settings of Rice et al. 2020 as RunSpec's
defaults. Differs: in Rice et al.'s code crops pad by reflection (here with zeros), the
attack is in train mode (here in eval mode), begins in l2 at a uniform radius (here
uniform in the ball) and makes an eleventh pass, the loop one of the clean batch after
the step, which BatchNorm's statistics see, and the last batch before a drop has the
lower rate already. Nothing of it stays under ``--recipe as_released``.
"""

from dataclasses import dataclass

from rofit.labels.fixed import Smoothed
from rofit.methods.inner import InnerMaximisation
from rofit.methods.method import Context, Method, soft_label_objective
from rofit.settings.knobs import Knobs

BRINGS: frozenset[str] = frozenset()
AS_RELEASED = {
    "val_size": 0,
    "crop_fill": "reflect",
    "attack_bn": "train",
    "l2_start": "radius",
    "extra_passes": ("adversarial", "clean_after_step"),
    "schedule": "piecewise",
}


@dataclass(frozen=True)
class Params(Knobs):
    """Nothing to set: attack and schedule are fields of the run."""


def build(params: Params, context: Context) -> Method:
    """Return min_w mean_i max_delta CE(y_i, f(x_i + delta; w))."""
    inner = InnerMaximisation(context.attack)
    return Method(Smoothed(context.n_classes), inner, soft_label_objective)
