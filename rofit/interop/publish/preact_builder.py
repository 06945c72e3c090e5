"""The end of network.py for PreAct and Wide ResNets: how the network is built."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from rofit.models.forms import Form
from rofit.models.normalise import normalisation
from rofit.models.preact_resnet import PreActResNet


def build(
    *,
    channels: int,
    n_classes: int,
    width: int,
    blocks: Sequence[int],
    stem_width: int,
    stem_stride: int,
    activation: str,
    form: Mapping[str, Any],
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
) -> PreActResNet:
    """Return the network without its weights, in the memory layout of its training.

    Args:
        channels: of the images.
        n_classes: K, the number of logits.
        width: channels of the first stage.
        blocks: blocks a stage.
        stem_width: channels of the stem.
        stem_stride: of the stem.
        activation: ``relu`` or ``silu``.
        form: fields of `Form`.
        mean: per channel in [0, 1]; None (both) for no normalisation.
        std: per channel in (0, 1].
    """
    network = PreActResNet(
        channels,
        n_classes,
        width=width,
        blocks=blocks,
        stem_width=stem_width,
        stem_stride=stem_stride,
        normalise=normalisation(channels, mean, std),
        activation=activation,
        form=Form(**form),
    )
    # rofit's networks have this layout; in another, sums may be made in another order.
    return network.to(memory_format=torch.channels_last)
