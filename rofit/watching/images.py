"""The images of a watched run, on the device of its network."""

from typing import Any

import torch
from torch import Tensor

from rofit.adapters.inputs import Inputs
from rofit.adapters.labelled import read_labelled
from rofit.adapters.networks import digest
from rofit.attacks.pgd import PGD
from rofit.settings.spec import RunSpec
from rofit.training.batches import DeviceImages
from rofit.training.curves import LearningCurves


class UnitImages(DeviceImages):
    """Images that are already (N, C, H, W) in [0, 1] on the training device."""

    def __init__(self, images: Any, classes: Any, inputs: Inputs, like: Tensor) -> None:
        """Read images and classes; see `rofit.adapters.labelled`."""
        self.pixels, self.y = read_labelled(images, classes, inputs, like)

    def unit(self) -> Tensor:
        """Return the images."""
        return self.pixels


def images_digest(images: UnitImages) -> str:
    """Return a name of images and classes, to 8 bits: the same for the same images."""
    pixels = (images.pixels * 255).round().to(torch.uint8)
    return digest([pixels, images.y])


def learning_curves(spec: RunSpec, images: dict[str, UnitImages]) -> LearningCurves:
    """Return the learning curves of a run on these images, by name of the split."""
    trained_with, evaluated_with = (
        PGD(spec.threat, steps, spec.step_size)
        for steps in (spec.attack_steps, spec.eval_steps)
    )
    return LearningCurves(
        images["train"],
        {name: split for name, split in images.items() if name != "train"},
        trained_with=trained_with if spec.attack_steps else None,
        evaluated_with=evaluated_with,
        seed=spec.seed,
    )
