"""What a network that cannot be made is answered with."""

from typing import Any

import pytest
import torch
from small_models import CIFAR10, small_model

from rofit.errors import UserError


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("preact_resnet", {}, "model 'preact_resnet'; did you mean preact_resnet18"),
        ("wrn_34", {}, "unknown model 'wrn_34'.*wrn_<depth>_<widen>"),
        ("wrn_34_0", {}, "unknown model 'wrn_34_0'"),
        ("wrn_034_10", {}, "unknown model 'wrn_034_10'"),
        ("wrn_12_4", {}, r"must be 6n \+ 4 \(10, 16, .*got 12"),
        ("wrn_4_4", {}, r"must be 6n \+ 4 \(10, 16, .*got 4"),
        ("resnet18", {"channels": 4}, r"channels must be 1 .* or 3 .*, got 4"),
        ("resnet18", {"n_classes": 1}, "n_classes must be at least 2, got 1"),
        ("resnet18", {"image_size": 7}, "image_size must be at least 8, got 7"),
        (
            "preact_small",
            {"blocks": (1,) * 5},
            "8 is too small for 5 .* above 8 pixels",
        ),
        ("resnet18", {"width": 32}, "^width cannot .*'resnet18'.* preact_resnet18, "),
        ("wrn_10_1", {"blocks": (1, 1)}, "^blocks cannot .*'wrn_10_1'.*, preact_small"),
        ("resnet18", {"width": 8, "blocks": (1,)}, "^width and blocks cannot be set"),
        ("wrn_1000_1", {}, "unknown model 'wrn_1000_1'"),
        ("wrn_10_\u0661", {}, "unknown model 'wrn_10_"),
        ("wrn_" + "9" * 5000 + "_1", {}, "unknown model 'wrn_999"),
        ("wrn_994_999", {}, r"about 1\.6e\+13 weights, of .* at most 2e\+09 can"),
        ("preact_small", {"width": 4096, "blocks": (200,) * 3}, "about .* weights"),
        ("preact_small", {"width": 0}, "width must be a positive int, got 0"),
        ("preact_small", {"width": 8.0}, r"width must be a positive int, got 8\.0"),
        ("preact_small", {"blocks": ()}, r"tuple of positive ints.*; got \(\)"),
        ("preact_small", {"blocks": (1, 0)}, r"positive ints.*; got \(1, 0\)"),
        ("preact_small", {"blocks": 2}, "tuple of positive ints.*; got 2"),
        ("resnet18", {"mean": [0.5] * 3}, "given together, got only mean"),
        ("resnet18", {"std": [0.5] * 3}, "given together, got only std"),
        ("wrn_10_1", {"activation": "swish"}, "unknown activation 'swish'"),
        ("wrn_10_1", {"form": "deep"}, "unknown form 'deep'; did you mean deepmind"),
        ("resnet18", {"form": "deepmind"}, "^form cannot be set for 'resnet18'"),
        (
            "resnet18",
            {"activation": "silu"},
            "^activation cannot be set for 'resnet18'",
        ),
        (
            "resnet18",
            CIFAR10 | {"channels": 1},
            r"mean must have one .* channel \(1\), got 3",
        ),
        ("resnet18", CIFAR10 | {"std": [1]}, r"std must .* channel \(3\), got 1"),
        (
            "resnet18",
            CIFAR10 | {"mean": [99] * 3},
            r"mean must be in \[0, 1\].* by 255",
        ),
        ("resnet18", CIFAR10 | {"std": [0] * 3}, r"std must be in \(0, 1\].* by 255"),
        ("resnet18", CIFAR10 | {"mean": [float("nan")] * 3}, "mean must .*nan"),
    ],
)
def test_wrong_input_is_answered_with_what_was_expected(
    name: str, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        small_model(name, **changed)


def test_largest_network_of_the_field_can_be_made() -> None:
    with torch.device("meta"):
        model = small_model("wrn_106_16")
    assert sum(p.numel() for p in model.parameters()) == 415_475_162
