"""Wide ResNets, WRN-depth-widen: the large networks of adversarial training.

Zagoruyko, Komodakis, "Wide Residual Networks", 2016. A WRN is a pre-activation ResNet
of three stages, k times as wide, behind a stem that is not widened. Without dropout the
block of TRADES' models/wideresnet.py computes what `PreActBlock` does, so that block is
used and not written again; a test holds the two together.
"""

from torch import nn

from rofit.errors import UserError
from rofit.models.forms import FORMS, Form
from rofit.models.preact_resnet import PreActResNet

STEM_WIDTH = 16
# Its shortcuts are those of a wide ResNet: 1x1, of the activation.
DEEPMIND = Form(same_padding=True)


def wide_resnet(
    channels: int,
    n_classes: int,
    *,
    depth: int,
    widen: int,
    normalise: nn.Module | None = None,
    activation: str = "relu",
    form: Form = FORMS["usual"],
) -> PreActResNet:
    """Return WRN-depth-widen for inputs in [0, 1], features (B, 64 * widen).

    Three stages of 16, 32 and 64 times *widen* channels and (depth - 4) / 6 blocks each
    (depth counts their convolutions, the stem and the three shortcuts); stages 2 and 3
    halve the map, rounding up. Convolutions start normal with variance 2 / fan-out,
    BatchNorm at 1 and 0, the classifier with PyTorch's default weight and bias 0; drawn
    from torch's global generator.

    Source: Zagoruyko & Komodakis 2016, as coded in yaodongyu/TRADES,
    models/wideresnet.py (9ee26f4), layers and initialisation.
    Differs: no dropout (there its rate is 0 by default).
    Differs: without ``sub_block1``, which is built there and never used in the forward
    pass, so parameters are the published 46,160,474 for WRN-34-10.
    Differs: the pool is global instead of 8x8, which is the same for 32x32 images.

    Args:
        channels: channels of the input.
        n_classes: K, the number of logits.
        depth: 10, 16, 22, 28, 34, ...
        widen: k, the widening factor.
        normalise: first layer; None for an identity.
        activation: ``relu``, or ``silu`` as Gowal et al. 2020 have it.
        form: of the blocks, see `rofit.models.forms`.

    Raises:
        UserError: if depth is not 6n + 4 with n >= 1.
    """
    if depth < 10 or (depth - 4) % 6 != 0:
        raise UserError(
            "the depth of a wide ResNet must be 6n + 4 (10, 16, 22, 28, 34, 40, ...), "
            f"got {depth}"
        )
    model = PreActResNet(
        channels,
        n_classes,
        width=STEM_WIDTH * widen,
        blocks=((depth - 4) // 6,) * 3,
        stem_width=STEM_WIDTH,
        normalise=normalise,
        activation=activation,
        form=DEEPMIND if form == FORMS["deepmind"] else form,
    )
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    nn.init.zeros_(model.classifier.bias)
    return model
