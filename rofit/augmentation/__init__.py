"""What happens to training images before they are attacked, a named thing an entry.

An augmentation is a row of layers, each a file: draws an image as functions of (seed,
epoch, image), then all images of a batch at once, on the device where they are. Some
make one image of two in the end.
"""

from collections.abc import Callable

from rofit.augmentation.autoaugment import AutoAugment
from rofit.augmentation.color_shape import COLOR, SHAPE, ColorShape
from rofit.augmentation.crop_flip import CropFlip
from rofit.augmentation.cropshift import CropShift
from rofit.augmentation.erasing import Cutout, RandomErasing
from rofit.augmentation.layer import Layer
from rofit.augmentation.mixing import CutMix, Mixing, Mixup
from rofit.errors import look_up
from rofit.settings.spec import RunSpec

Augmentation = tuple[Layer, ...]


def _flip(spec: RunSpec) -> CropFlip:
    return CropFlip(0, spec.flip)


def _crop_flip(spec: RunSpec) -> CropFlip:
    return CropFlip(spec.crop_pad, spec.flip, spec.crop_fill)


# Name (the field `augment`) -> its layers under a run's crop_pad, crop_fill and flip.
AUGMENTATIONS: dict[str, Callable[[RunSpec], Augmentation]] = {
    "crop_flip": lambda spec: (_crop_flip(spec),),
    "cutout": lambda spec: (_crop_flip(spec), Cutout(14)),
    "autoaugment": lambda spec: (_crop_flip(spec), AutoAugment()),
    "cropshift": lambda spec: (_flip(spec), CropShift(10)),
    "idbh_weak": lambda spec: (
        _flip(spec), CropShift(10), ColorShape(COLOR), RandomErasing(0.5),
    ),
    "idbh_strong": lambda spec: (
        _flip(spec), CropShift(10), ColorShape(COLOR), RandomErasing(1),
    ),
    "idbh_svhn": lambda spec: (
        _flip(spec), CropShift(8), ColorShape(SHAPE), RandomErasing(1, (0.02, 0.5)),
    ),
    "mixup": lambda spec: (_crop_flip(spec),),
    "cutmix": lambda spec: (_crop_flip(spec),),
}  # fmt: skip
# Name -> what an image and its partner become, after their layers. In the logs of Rice
# et al. 1.4 has the highest robust accuracy of ten alphas, best and last; CutMix is as
# Yun et al. train on CIFAR.
MIXINGS: dict[str, Mixing] = {"mixup": Mixup(1.4), "cutmix": CutMix(1, 0.5)}


def find_augmentation(spec: RunSpec) -> Augmentation:
    """Return the layers of a run's augmentation.

    Raises:
        UserError: no such augmentation.
    """
    return look_up("augmentation", spec.augment, AUGMENTATIONS)(spec)


def find_mixing(spec: RunSpec) -> Mixing | None:
    """Return how a run's augmentation mixes images, None where it does not."""
    return MIXINGS.get(spec.augment)
