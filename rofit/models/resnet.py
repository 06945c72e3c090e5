"""ResNet-18 for small images: torchvision's blocks behind the usual CIFAR stem.

The blocks are torchvision's own, so that this is the post-activation ResNet that
everybody means; only the stem differs, since the original's shrinks a 32x32 image to
8x8 before the first block and so to one pixel in the last stage.
"""

from torch import Tensor, nn

from rofit.models.classifier import Classifier


class ResNet18(Classifier):
    """torchvision's ResNet of BasicBlocks (2, 2, 2, 2), width 64, on a 3x3 stem.

    The map is halved (rounding up) at the start of stages 2, 3 and 4. Initialisation is
    torchvision's: convolutions normal with variance 2 / fan-out, BatchNorm 1 and 0, the
    classifier PyTorch's default; drawn from torch's global generator.

    Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2016;
    torchvision 0.29, torchvision/models/resnet.py.
    Differs: stem of one 3x3 convolution of stride 1 (with BN-ReLU), no max pool.
    Differs: features are named and normalisation is inside.
    """

    def __init__(
        self, channels: int, n_classes: int, *, normalise: nn.Module | None = None
    ) -> None:
        """Build the network.

        Args:
            channels: channels of the input.
            n_classes: K, the number of logits.
            normalise: first layer; None for an identity.
        """
        from torchvision.models.resnet import BasicBlock, ResNet  # takes seconds

        super().__init__()
        self.normalise = nn.Identity() if normalise is None else normalise
        self.trunk = ResNet(BasicBlock, [2, 2, 2, 2], num_classes=n_classes)
        self.trunk.conv1 = nn.Conv2d(
            channels, 64, kernel_size=3, stride=1, padding=1, bias=False
        )
        nn.init.kaiming_normal_(
            self.trunk.conv1.weight, mode="fan_out", nonlinearity="relu"
        )
        self.classifier = self.trunk.fc
        # What the features do without: the head is ours, and pooling is in fp32.
        del self.trunk.fc, self.trunk.maxpool, self.trunk.avgpool

    def features(self, x: Tensor) -> Tensor:
        """Return the pooled activations (B, 512) of x (B, C, H, W) in [0, 1]."""
        trunk = self.trunk
        inputs = self.normalise(x).to(trunk.conv1.weight.dtype)
        maps = trunk.relu(trunk.bn1(trunk.conv1(inputs)))
        for stage in (trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4):
            maps = stage(maps)
        pooled: Tensor = maps.to(self.classifier.weight.dtype).mean(dim=(2, 3))
        return pooled
