"""Named training recipes: what a published setting changes in a RunSpec.

A recipe never names a method, a data set or a model, so that methods can be compared
under one recipe; AS_RELEASED alone is another for every method. Everything not listed
is as RunSpec's defaults say: SGD, learning rate 0.1, momentum 0.9, weight decay 5e-4,
batch 128, 200 epochs, PGD-10 at 8/255 by 2/255.
"""

from dataclasses import dataclass, field
from typing import Any

from rofit.errors import unknown
from rofit.settings.spec import RunSpec

# The recipe that each method has of its own (rofit/methods/released.py).
AS_RELEASED = "as_released"


@dataclass(frozen=True)
class Recipe:
    """Fields that a published recipe sets.

    Attributes:
        changes: RunSpec field -> value.
        source: where the values were read.
        differs: where rofit does not do what the source does.
    """

    changes: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    differs: str = ""

    def apply(self, spec: RunSpec) -> RunSpec:
        """Return *spec* under this recipe."""
        return spec.replace(**self.changes)


FIGURES = "sgls"  # the recipe of the runs that analyses ask for

RECIPES: dict[str, Recipe] = {
    "rice2020": Recipe(
        changes={"attack_bn": "train", "normalise": True, "drops": (0.5, 0.75)},
        source="Rice et al. 2020, code at locuslab/robust_overfitting",
        differs=(
            "the source evaluates its schedule at fractional epochs, so that the "
            "last mini-batch before a drop already has the lower rate; its crops "
            "pad by reflection (crop_fill=reflect); its starts in l2 have a uniform "
            "radius, ours u^(1/d); its attack makes one more pass in train mode, "
            "and its loop a clean one, which BatchNorm's statistics see; none of it "
            "under --method pgd_at --recipe as_released"
        ),
    ),
    "sgls": Recipe(
        # lr 0.1 for epochs 1-99, 0.01 for 100-149, 0.001 for 150-200 (counted from 1):
        # the drops come after 99 and 149 epochs of 200.
        changes={"attack_bn": "eval", "normalise": False, "drops": (0.495, 0.745)},
        source="SGLS, the authors' first release of SGLR (2023)",
    ),
    "pang2021": Recipe(
        # lr 0.1, 0.01 from epoch 100 and 0.001 from epoch 105 of 110 on.
        changes={
            "attack_bn": "eval",
            "normalise": True,
            "crop_fill": "reflect",
            "epochs": 110,
            "drops": (100 / 110, 105 / 110),
        },
        source=(
            "Pang et al. 2021 (Bag of Tricks), the baseline setting of README and "
            "train_cifar.py at P2333/Bag-of-Tricks-for-AT, whose network is a "
            "WRN-34-10"
        ),
        differs=(
            "the source evaluates its schedule at fractional epochs, so that the last "
            "mini-batch before a drop already has the lower rate; its starts in l2 "
            "have a uniform radius, ours u^(1/d); its loop passes the clean inputs "
            "before and after every step, which BatchNorm's statistics see"
        ),
    ),
    "rade2022": Recipe(
        changes={
            "attack_bn": "eval",
            "normalise": False,
            "epochs": 50,
            "lr": 0.21,
            "schedule": "one_cycle_steps",
        },
        source=(
            "Rade and Moosavi-Dezfooli 2022 (HAT), train.py, core/utils/parser.py and "
            "core/utils/train.py at imrahulr/hat, README's 50 epochs"
        ),
        differs=(
            "the source's momentum is Nesterov's (as with --method hat --recipe "
            "as_released), and goes from 0.95 to 0.85 and back as the rate goes up and "
            "down (here 0.9); its rate is at most a step's change behind ours"
        ),
    ),
    "fastat2026": Recipe(
        changes={
            "attack_bn": "eval",
            "normalise": False,
            "epochs": 100,
            "schedule": "one_cycle",
        },
        source=(
            "FastAT Benchmark (Pan and Yao 2026), main.py, configs/cifar10/common.yaml "
            "and pgd_at_wa.yaml, fast_at/pgd_at.py at fzjcdt/FastAT_Benchmark"
        ),
        differs=(
            "label smoothing and the average of the weights are methods, which no "
            "recipe names: rofit train --recipe fastat2026 --method label_smoothing "
            "--weights weight_ema --set rho=0.4 --set ema_decay=0.9995 (its pgd_at "
            "leaves the average out); the source's momentum goes from 0.95 to 0.85 "
            "and back as the rate goes up and down (here 0.9); its average begins "
            "after the first step, and its best is the better of network and average"
        ),
    ),
}


def find_recipe(name: str) -> Recipe:
    """Return the recipe called *name*, the same for all methods.

    Raises:
        UserError: no such recipe.
    """
    if name not in RECIPES:
        raise unknown("recipe", name, [*RECIPES, AS_RELEASED])
    return RECIPES[name]
