"""Pre-activation ResNets for small images: the network of the robust-overfitting work.

He, Zhang, Ren, Sun, "Identity Mappings in Deep Residual Networks", 2016, in the form
that Rice, Wong, Kolter, "Overfitting in adversarially robust deep learning", 2020,
train.
"""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from rofit.errors import UserError
from rofit.models.classifier import Classifier
from rofit.models.forms import ACTIVATIONS, FORMS, Form, SamePaddedConv2d

MOST_WEIGHTS = 2 * 10**9  # WRN-106-16, the largest in the field, has 0.4 * 10**9
# Below so many channels and above so many pixels a side, oneDNN's gradient in the
# weights of a strided 1x1 convolution writes past its memory if inputs or weights are
# channels_last (torch 2.14 on a CPU: a crash from 56 pixels on, whatever the batch).
_FEW_CHANNELS, _LARGE_MAP = 16, 32


class PointwiseConv2d(nn.Conv2d):
    """1x1 convolution without padding or bias that no layout of memory can crash.

    Where torch's would, every stride-th pixel is taken first and the convolution is one
    of stride 1: the same sums. A contiguous network alone would not do: compiled
    attacks return channels_last images, which make every convolution after them so.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, ceil(H / stride), ceil(W / stride))."""
        if self.in_channels >= _FEW_CHANNELS or max(x.shape[-2:]) <= _LARGE_MAP:
            return super().forward(x)
        rows, columns = self.stride
        return F.conv2d(x[..., ::rows, ::columns], self.weight)


class PreActBlock(nn.Module):
    """Residual block that normalises and activates before each convolution.

        a = relu(bn1(x)),   out = shortcut + conv2(relu(bn2(conv1(a))))

    with shortcut = x where the shape stays, and a 1x1 convolution of *a* where it
    changes. All convolutions are without bias; stride acts in conv1 and the shortcut.

    Source: He et al. 2016, figure 4(e), as coded in kuangliu/pytorch-cifar,
    models/preact_resnet.py (010536e), PreActBlock.
    Differs: as in that code, the network's first block adds the stem's output as it
    is; the paper activates it before the two paths part.
    Differs: with another activation or form, which replaces what `Form` says.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        *,
        activation: str = "relu",
        form: Form = FORMS["usual"],
    ) -> None:
        """Build the block; maps of n pixels a side leave it with ceil(n / stride)."""
        super().__init__()
        self.activation, self.form = ACTIVATIONS[activation], form
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = _conv3x3(in_channels, out_channels, stride, form.same_padding)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.conv2 = _conv3x3(out_channels, out_channels)
        self.shortcut: nn.Conv2d | None = None
        if stride != 1 or in_channels != out_channels:
            self.shortcut = (
                _conv3x3(in_channels, out_channels, stride, form.same_padding)
                if form.shortcut_size == 3
                else PointwiseConv2d(
                    in_channels, out_channels, kernel_size=1, stride=stride, bias=False
                )
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, ceil(H / stride), ceil(W / stride))."""
        a = self.activation(self.bn1(x))
        shortcut = x
        if self.shortcut is not None:
            shortcut = self.shortcut(x if self.form.raw_shortcut else a)
        out: Tensor = self.conv2(self.activation(self.bn2(self.conv1(a))))
        return out + shortcut


class PreActResNet(Classifier):
    """Stem, stages of `PreActBlock`, BN-ReLU, global average pool, linear classifier.

    (Another activation than ReLU, no BN-ReLU or other blocks, if it says so.)

    Stage i = 0, 1, ... has ``blocks[i]`` blocks of ``width * 2**i`` channels; its first
    block halves the map (rounding up) from i = 1 on. The stem is a 3x3 convolution of
    stride 1 without BatchNorm. Weights are PyTorch's defaults, as in the source, drawn
    from torch's global generator.

    Source: He et al. 2016, with the activation they put after the last block. Width 64
    and blocks (2, 2, 2, 2) are the PreAct ResNet-18 of Rice et al. 2020, as coded in
    cardistryj/weights-robustify, AT_AWP/preactresnet.py (bd29c7c), a descendant of
    theirs; kuangliu/pytorch-cifar's has no BN-ReLU after the last block.
    Differs: the pool is global instead of 4x4, which is the same for 32x32 images.
    Differs: normalisation is inside (Rice et al.: in the training script).
    """

    def __init__(
        self,
        channels: int,
        n_classes: int,
        *,
        width: int = 64,
        blocks: Sequence[int] = (2, 2, 2, 2),
        stem_width: int | None = None,
        stem_stride: int = 1,
        normalise: nn.Module | None = None,
        activation: str = "relu",
        form: Form = FORMS["usual"],
    ) -> None:
        """Build the network; `build_model` checks the sizes one by one.

        Args:
            channels: channels of the input.
            n_classes: K, the number of logits.
            width: channels of the first stage.
            blocks: blocks per stage; its length is the number of stages.
            stem_width: channels of the stem; None for *width*, as in the source. Wide
                ResNets set it.
            stem_stride: 1, as in the source; 2 (ours) computes everything on maps of
                half the side, at a quarter of the cost.
            normalise: first layer; None for an identity.
            activation: a key of ACTIVATIONS.
            form: of the blocks and of what follows the last.

        Raises:
            UserError: more weights than can be trained.
        """
        super().__init__()
        _check_weights(width, blocks)
        self.normalise = nn.Identity() if normalise is None else normalise
        stem_width = width if stem_width is None else stem_width
        self.stem = _conv3x3(channels, stem_width, stem_stride)
        widths = [stem_width, *(width * 2**i for i in range(len(blocks)))]
        self.stages = nn.Sequential(
            *(
                _stage(
                    widths[i],
                    widths[i + 1],
                    n_blocks,
                    stride=1 if i == 0 else 2,
                    activation=activation,
                    form=form,
                )
                for i, n_blocks in enumerate(blocks)
            )
        )
        self.activation = ACTIVATIONS[activation]
        self.bn = nn.BatchNorm2d(widths[-1]) if form.last_bn else None
        self.classifier = nn.Linear(widths[-1], n_classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the pooled activations (B, width * 2**(stages - 1)) of x in [0, 1]."""
        inputs = self.normalise(x).to(self.stem.weight.dtype)
        maps: Tensor = self.stages(self.stem(inputs))
        if self.bn is not None:
            maps = self.activation(self.bn(maps))
        return maps.to(self.classifier.weight.dtype).mean(dim=(2, 3))


def _check_weights(width: int, blocks: Sequence[int]) -> None:
    """Raise UserError before memory runs out; counts two 3x3 convolutions a block."""
    weights = sum(18 * n * (width * 2**i) ** 2 for i, n in enumerate(blocks))
    if weights > MOST_WEIGHTS:
        raise UserError(
            f"the network would have about {weights:.2g} weights, of which at most "
            f"{MOST_WEIGHTS:.2g} can be trained; lower its width or its blocks"
        )


def _conv3x3(
    in_channels: int, out_channels: int, stride: int = 1, same_padding: bool = False
) -> nn.Conv2d:
    if same_padding and stride == 2:
        return SamePaddedConv2d(
            in_channels, out_channels, kernel_size=3, stride=2, bias=False
        )
    return nn.Conv2d(
        in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False
    )


def _stage(
    in_channels: int, out_channels: int, n_blocks: int, stride: int, **how: Any
) -> nn.Sequential:
    first = PreActBlock(in_channels, out_channels, stride, **how)
    rest = (PreActBlock(out_channels, out_channels, **how) for _ in range(n_blocks - 1))
    return nn.Sequential(first, *rest)
