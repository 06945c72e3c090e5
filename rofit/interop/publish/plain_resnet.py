"""The end of network.py for ResNet-18: the network without torchvision.

`rofit.models.resnet` takes torchvision's blocks; who loads an exported network has
torch alone. Layers have the same names and order, so weights fit both.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rofit.models.classifier import Classifier
from rofit.models.normalise import normalisation


class BasicBlock(nn.Module):
    """Residual block: relu(shortcut + bn2(conv2(relu(bn1(conv1(x)))))).

    Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2016;
    layers named as in torchvision 0.29, torchvision/models/resnet.py.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        """Build the block; its shortcut is a 1x1 convolution if the shape changes."""
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, ceil(H / stride), ceil(W / stride))."""
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + (x if self.downsample is None else self.downsample(x)))


class Trunk(nn.Module):
    """The stem and the four stages, without the classifier."""

    def __init__(self, channels: int) -> None:
        """Build a 3x3 stem of stride 1 and stages of 64, 128, 256, 512 channels."""
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(BasicBlock(64, 64, 1), BasicBlock(64, 64, 1))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128, 1))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256, 1))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 2), BasicBlock(512, 512, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images (B, C, H, W) to (B, 512, ceil(H / 8), ceil(W / 8))."""
        maps = F.relu(self.bn1(self.conv1(x)))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            maps = stage(maps)
        return maps


class PlainResNet18(Classifier):
    """ResNet-18 for small images; `rofit.models.resnet` says what it is after."""

    def __init__(self, channels: int, n_classes: int, normalise: nn.Module) -> None:
        """Build the network."""
        super().__init__()
        self.normalise = normalise
        self.trunk = Trunk(channels)
        self.classifier = nn.Linear(512, n_classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the pooled activations (B, 512) of x (B, C, H, W) in [0, 1]."""
        pooled: Tensor = self.trunk(self.normalise(x)).mean(dim=(2, 3))
        return pooled


def build(
    *,
    channels: int,
    n_classes: int,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
) -> PlainResNet18:
    """Return the network without its weights, in the memory layout of its training.

    Args:
        channels: of the images.
        n_classes: K, the number of logits.
        mean: per channel in [0, 1]; None (both) for no normalisation.
        std: per channel in (0, 1].
    """
    normalise = normalisation(channels, mean, std)
    network = PlainResNet18(channels, n_classes, normalise)
    # rofit's networks have this layout; in another, sums may be made in another order.
    return network.to(memory_format=torch.channels_last)
