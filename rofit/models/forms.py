"""What other code bases do otherwise in networks whose weights have the same names.

Weights that were trained in one form compute something else in another: an imported
checkpoint names its form, and a network here is built in it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "silu": F.silu}


@dataclass(frozen=True)
class Form:
    """How a code base builds the network where others do it otherwise.

    Attributes:
        same_padding: 3x3 convolutions of stride 2 pad right and below only (on maps of
            even size), as TensorFlow's SAME does; else by 1 on all sides.
        raw_shortcut: convolutions in shortcuts see x, not its activation.
        shortcut_size: of their kernel, 1 or 3.
        last_bn: BatchNorm and activation after the last block.
    """

    same_padding: bool = False
    raw_shortcut: bool = False
    shortcut_size: int = 1
    last_bn: bool = True


# Whose code builds it so: Gowal et al. 2020 (deepmind-research), Rade, Wang et al.;
# kuangliu/pytorch-cifar, FastAT Benchmark, MAIR; Wong et al. 2020 (fast_adversarial);
# Andriushchenko & Flammarion 2020. Read in RobustBench/robustbench (78fcc9e),
# model_zoo/architectures, and fast_adversarial (54f7287), preact_resnet.py.
FORMS = {
    "usual": Form(),
    "deepmind": Form(same_padding=True, raw_shortcut=True, shortcut_size=3),
    "no_last_bn": Form(last_bn=False),
    "raw_shortcut": Form(raw_shortcut=True),
    "raw_shortcut_no_last_bn": Form(raw_shortcut=True, last_bn=False),
}


class SamePaddedConv2d(nn.Conv2d):
    """3x3 convolution of stride 2 without bias, padded as TensorFlow's SAME."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, ceil(H / 2), ceil(W / 2))."""
        height, width = x.shape[-2:]
        return super().forward(F.pad(x, (width % 2, 1, height % 2, 1)))
