"""How the tensors of known networks are called elsewhere, and how here.

A family is a code base's names of one architecture, whoever trained it. A rule renames
all keys that match; a key that matches none is left over.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

Replacement = str | Callable[[re.Match[str]], str]


@dataclass(frozen=True)
class Family:
    """Names of one architecture.

    Attributes:
        name: what it is called in sentences.
        marks: keys that a network of it has; the first tells its prefix.
        rules: pattern of the beginning of a key, and what stands there in rofit.
        unused: pattern of keys that the code builds and never uses in a forward pass.
    """

    name: str
    marks: tuple[str, ...]
    rules: tuple[tuple[str, Replacement], ...]
    unused: str = r"(?!)"


@dataclass(frozen=True)
class Renamed:
    """The tensors of one network under rofit's names.

    Attributes:
        tensors: by rofit's names.
        left_over: keys, in the file's names, that no rule knows.
        unused: keys that no forward pass uses.
    """

    tensors: dict[str, Tensor]
    left_over: tuple[str, ...]
    unused: tuple[str, ...]


def _block(ending: str) -> Callable[[re.Match[str]], str]:
    """Return the replacement of a stage that counts from 1 by one that does from 0."""
    return lambda match: match.expand(rf"stages.{int(match[1]) - 1}.\2.{ending}")


_PART = r"(bn1|conv1|bn2|conv2)\."
_DEEPMIND_BLOCK = {"batchnorm_0": "bn1", "batchnorm_1": "bn2"}


def _deepmind(first: str, second: str) -> tuple[tuple[str, str], ...]:
    """Return the rules of a block whose two convolutions have these names."""
    names = _DEEPMIND_BLOCK | {first: "conv1", second: "conv2", "shortcut": "shortcut"}
    stage = r"layer(?:\.(\d+)\.block|_(\d+))\.(\d+)\."
    return tuple(
        (rf"{stage}{theirs}\.", rf"stages.\1\2.\3.{ours}.")
        for theirs, ours in names.items()
    )


# Read in locuslab/robust_overfitting (c47a25c), yaodongyu/TRADES (6e8e11b) and
# RobustBench/robustbench (78fcc9e), which most others have their networks from.
FAMILIES = (
    Family(
        "wide ResNet of TRADES",
        ("conv1.weight", "block1.layer.0.conv1.weight"),
        (
            (r"block(\d+)\.layer\.(\d+)\.convShortcut\.", _block("shortcut.")),
            (rf"block(\d+)\.layer\.(\d+)\.{_PART}", _block(r"\3.")),
            (r"conv1\.", "stem."),
            (r"bn1\.", "bn."),
            (r"(fc|linear)\.", "classifier."),
        ),
        unused=r"sub_block1\.",
    ),
    Family(
        "ResNet-18",
        ("conv1.weight", "bn1.weight", "layer1.0.conv1.weight"),
        (
            (r"(layer\d+\.\d+)\.(shortcut|downsample)\.", r"trunk.\1.downsample."),
            (rf"(layer\d+\.\d+\.{_PART})", r"trunk.\1"),
            (r"((conv|bn)1\.)", r"trunk.\1"),
            (r"(linear|fc)\.", "classifier."),
        ),
    ),
    Family(
        "PreAct ResNet-18",
        ("conv1.weight", "layer1.0.conv1.weight"),
        (
            (r"layer(\d+)\.(\d+)\.shortcut\.0\.", _block("shortcut.")),
            (rf"layer(\d+)\.(\d+)\.{_PART}", _block(r"\3.")),
            (r"conv1\.", "stem."),
            (r"bn\.", "bn."),
            (r"(linear|fc)\.", "classifier."),
        ),
    ),
    Family(
        "wide ResNet of Gowal et al.",
        ("init_conv.weight", "layer.0.block.0.conv_0.weight"),
        (
            *_deepmind("conv_0", "conv_1"),
            (r"init_conv\.", "stem."),
            (r"batchnorm\.", "bn."),
            (r"logits\.", "classifier."),
        ),
    ),
    Family(
        "PreAct ResNet-18 of Gowal et al.",
        ("conv_2d.weight", "layer_0.0.conv_2d_1.weight"),
        (
            *_deepmind("conv_2d_1", "conv_2d_2"),
            (r"conv_2d\.", "stem."),
            (r"batchnorm\.", "bn."),
            (r"logits\.", "classifier."),
        ),
    ),
    Family(
        "rofit's PreAct or wide ResNet",
        ("stem.weight", "stages.0.0.conv1.weight"),
        ((r"(stem|stages|bn|classifier)\.", r"\1."),),
    ),
    Family(
        "rofit's ResNet-18",
        ("trunk.conv1.weight",),
        ((r"(trunk|classifier)\.", r"\1."),),
    ),
)
WIDE, RESNET, PREACT, GOWAL_WIDE, GOWAL_PREACT, OURS, OUR_RESNET = FAMILIES
GOWAL = (GOWAL_WIDE, GOWAL_PREACT)
# What the last layer's weight is called in one or the other of them.
HEADS = ("linear.weight", "fc.weight", "logits.weight", "classifier.weight")


def renamed(family: Family, tensors: Mapping[str, Tensor]) -> Renamed:
    """Return the tensors of a network, without a prefix, under rofit's names."""
    ours: dict[str, Tensor] = {}
    left_over, unused = [], []
    for key, value in tensors.items():
        if re.match(family.unused, key):
            unused.append(key)
            continue
        for pattern, replacement in family.rules:
            if re.match(pattern, key):
                ours[re.sub(rf"^{pattern}", replacement, key)] = value
                break
        else:
            left_over.append(key)
    return Renamed(ours, tuple(left_over), tuple(unused))
