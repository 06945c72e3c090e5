"""Networks by name, for inputs in [0, 1]; normalisation is their first layer.

To add one: a file with a `Classifier` and a line in MODELS.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from rofit.errors import UserError, look_up, unknown
from rofit.models.classifier import Classifier
from rofit.models.forms import ACTIVATIONS, FORMS, Form
from rofit.models.normalise import normalisation
from rofit.models.preact_resnet import PreActResNet
from rofit.models.resnet import ResNet18
from rofit.models.wide_resnet import wide_resnet

MODELS: dict[str, Callable[..., Classifier]] = {
    "preact_resnet18": partial(PreActResNet, width=64, blocks=(2, 2, 2, 2)),
    "preact_small": partial(PreActResNet, width=32, blocks=(1, 1, 1)),
    "preact_tiny": partial(PreActResNet, width=32, blocks=(1, 1, 1), stem_stride=2),
    "resnet18": ResNet18,
    "wrn_16_4": partial(wide_resnet, depth=16, widen=4),
    "wrn_28_10": partial(wide_resnet, depth=28, widen=10),
    "wrn_34_10": partial(wide_resnet, depth=34, widen=10),
    "wrn_34_20": partial(wide_resnet, depth=34, widen=20),
    "wrn_70_16": partial(wide_resnet, depth=70, widen=16),
}
RESIZABLE = ("preact_resnet18", "preact_small", "preact_tiny")
MIN_IMAGE_SIZE = 8


def build_model(
    name: str,
    *,
    channels: int,
    image_size: int,
    n_classes: int,
    width: int | None = None,
    blocks: tuple[int, ...] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    activation: str = "relu",
    form: str = "usual",
) -> Classifier:
    """Return the network called *name*, in train mode, on the default device.

    Its weights are drawn from torch's global generator: seed around the call. Under
    ``torch.device("meta")`` it costs no memory and no draws.

    Args:
        name: a key of MODELS, or ``wrn_<depth>_<widen>`` of any depth 6n + 4.
        channels: 1 or 3.
        image_size: height and width of the inputs, at least 8.
        n_classes: K, at least 2.
        width: channels of the first stage; RESIZABLE models only.
        blocks: blocks per stage, one entry a stage; RESIZABLE models only.
        mean: per channel in [0, 1]; None (both) for no normalisation.
        std: per channel in (0, 1].
        activation: ``relu`` or ``silu``; another than relu not for resnet18.
        form: a key of FORMS, whose code builds it otherwise; not for resnet18.

    Raises:
        UserError: for an unknown name, or a size that is out of its range or that the
            network cannot take.
    """
    builder = _builder(name)
    if channels not in (1, 3):
        raise UserError(f"channels must be 1 (grey) or 3 (colour), got {channels}")
    if n_classes < 2:
        raise UserError(f"n_classes must be at least 2, got {n_classes}")
    sizes = _sizes(name, width, blocks) | _other_blocks(name, activation, form)
    _check_image_size(image_size, blocks)
    normalise = normalisation(channels, mean, std)
    return builder(channels, n_classes, normalise=normalise, **sizes)


def _builder(name: str) -> Callable[..., Classifier]:
    if name in MODELS:
        return MODELS[name]
    wrn = re.fullmatch(r"wrn_([1-9][0-9]{0,2})_([1-9][0-9]{0,2})", name)
    if wrn is None:
        raise unknown("model", name, [*MODELS, "wrn_<depth>_<widen>"])
    return partial(wide_resnet, depth=int(wrn[1]), widen=int(wrn[2]))


def _sizes(
    name: str, width: int | None, blocks: tuple[int, ...] | None
) -> dict[str, Any]:
    """Return the given ones of width and blocks, checked, as arguments of a builder."""
    sizes: dict[str, Any] = {}
    if width is not None:
        if not _is_positive_int(width):
            raise UserError(f"width must be a positive int, got {width!r}")
        sizes["width"] = width
    if blocks is not None:
        is_list = isinstance(blocks, tuple | list)  # a list where JSON was between
        if not is_list or not blocks or not all(map(_is_positive_int, blocks)):
            raise UserError(
                "blocks must be a tuple of positive ints, one per stage, "
                f"such as (2, 2, 2, 2); got {blocks!r}"
            )
        sizes["blocks"] = tuple(blocks)
    if sizes and name not in RESIZABLE:
        raise UserError(
            f"{' and '.join(sizes)} cannot be set for {name!r}, whose name fixes its "
            f"size; the models that take width and blocks are {', '.join(RESIZABLE)}"
        )
    return sizes


def _other_blocks(name: str, activation: str, form: str) -> dict[str, str | Form]:
    """Return what differs from the usual block, as arguments of a builder."""
    changes: dict[str, str | Form] = {}
    if activation != "relu":
        look_up("activation", activation, ACTIVATIONS)
        changes["activation"] = activation
    if form != "usual":
        changes["form"] = look_up("form", form, FORMS)
    if changes and name == "resnet18":
        raise UserError(
            f"{' and '.join(changes)} cannot be set for 'resnet18', whose blocks are "
            "torchvision's; they can for preact_* and wrn_*"
        )
    return changes


def _is_positive_int(value: object) -> bool:
    return type(value) is int and value > 0


def _check_image_size(image_size: int, blocks: tuple[int, ...] | None) -> None:
    if image_size < MIN_IMAGE_SIZE:
        raise UserError(
            f"image_size must be at least {MIN_IMAGE_SIZE}, got {image_size}; "
            "enlarge the images"
        )
    # 8 pixels are enough for the three strides of our deepest default; only more stages
    # than four, which come from the user, can find a single pixel to halve.
    strides = 0 if blocks is None else len(blocks) - 1
    if image_size <= 2 ** (strides - 1):
        raise UserError(
            f"image_size {image_size} is too small for {strides + 1} stages: stage "
            f"{strides + 1} would halve a map of 1 pixel; "
            f"give fewer blocks or images above {2 ** (strides - 1)} pixels"
        )
