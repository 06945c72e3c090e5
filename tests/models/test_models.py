"""Networks: sizes, initialisation, normalisation, checkpoints.

The big wide ResNets are built on the meta device only: shapes and counts, no memory.
"""

import runpy

# --- Contract -------------------------------------------------------------------------
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from small_models import CIFAR10, RUNNABLE, SHAPES, images, settled, small_model
from torch import nn

import rofit.models
from rofit.models import MODELS, RESIZABLE
from rofit.models.classifier import Classifier
from rofit.models.normalise import Normalise
from rofit.models.preact_resnet import PreActBlock, PreActResNet


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize(("channels", "image_size"), SHAPES)
@pytest.mark.parametrize("name", [*MODELS, "wrn_10_1"])
def test_every_model_has_features_a_classifier_and_no_hidden_normalisation(
    name: str, channels: int, image_size: int
) -> None:
    with torch.device("meta"):
        model = small_model(name, channels=channels, image_size=image_size, n_classes=7)
        x = torch.empty(2, channels, image_size, image_size)
    assert model.features(x).shape == (2, model.classifier.in_features)
    assert model(x).shape == (2, model.classifier.out_features) == (2, 7)
    assert isinstance(model, Classifier)
    assert isinstance(model.normalise, nn.Identity)
    assert model.training


@pytest.mark.parametrize(("channels", "image_size"), SHAPES)
@pytest.mark.parametrize("name", RUNNABLE)
def test_every_kind_trains_on_grey_colour_small_and_odd_images(
    name: str, channels: int, image_size: int
) -> None:
    model = small_model(name, channels=channels, image_size=image_size, n_classes=5)
    x = torch.rand(2, channels, image_size, image_size, requires_grad=True)
    features, logits = model.features(x), model(x)
    assert torch.equal(logits, model.classifier(features))
    assert features.min() >= 0
    F.cross_entropy(logits, torch.tensor([0, 4])).backward()
    for tensor in (x, *model.parameters()):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()


@pytest.mark.parametrize("name", RUNNABLE)
def test_eval_output_of_a_sample_does_not_depend_on_its_batch(name: str) -> None:
    model = settled(small_model(name), 8)
    x = images(4, 8)
    alone = torch.cat([model(row[None]) for row in x])
    # Kernels may sum in another order for another batch size: float64 rounding only.
    torch.testing.assert_close(model(x), alone, rtol=1e-10, atol=1e-10)


def test_importing_the_package_draws_nothing() -> None:
    before = torch.get_rng_state()
    for file in Path(rofit.models.__file__).parent.glob("*.py"):
        runpy.run_path(str(file))
    assert torch.equal(torch.get_rng_state(), before)


# --- Sizes ----------------------------------------------------------------------------

# Counts that others print for 3 channels and 10 classes.
PUBLISHED = {
    # 11,171,146 is the count of kuangliu/pytorch-cifar's network, without BN after the
    # last block; the robust-overfitting code has that BN of 512 channels: 2 * 512 more.
    "preact_resnet18": 11_171_146 + 2 * 512,
    "resnet18": 11_173_962,
    "wrn_28_10": 36_479_194,
    "wrn_34_10": 46_160_474,
}
# Stem width, and the width of every block.
BLOCK_WIDTHS = {
    "preact_resnet18": (64, [64] * 2 + [128] * 2 + [256] * 2 + [512] * 2),
    "preact_small": (32, [32, 64, 128]),
    "preact_tiny": (32, [32, 64, 128]),
    "wrn_10_1": (16, [16, 32, 64]),
    "wrn_16_4": (16, [64] * 2 + [128] * 2 + [256] * 2),
    "wrn_28_10": (16, [160] * 4 + [320] * 4 + [640] * 4),
    "wrn_34_10": (16, [160] * 5 + [320] * 5 + [640] * 5),
    "wrn_34_20": (16, [320] * 5 + [640] * 5 + [1280] * 5),
    "wrn_70_16": (16, [256] * 11 + [512] * 11 + [1024] * 11),
}


def _n_parameters(name: str, **changed: Any) -> int:
    with torch.device("meta"):
        model = small_model(name, **changed)
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameter_count_is_the_published_one(name: str) -> None:
    assert _n_parameters(name) == PUBLISHED[name]


@pytest.mark.parametrize(("channels", "n_classes"), [(3, 10), (1, 100)])
@pytest.mark.parametrize("name", BLOCK_WIDTHS)
def test_parameter_count_is_the_closed_form(
    name: str, channels: int, n_classes: int
) -> None:
    last, widths = BLOCK_WIDTHS[name]
    expected = 9 * channels * last
    for width in widths:
        expected += 2 * last + 9 * last * width + 2 * width + 9 * width * width
        expected += last * width if last != width else 0
        last = width
    expected += 2 * last + last * n_classes + n_classes
    assert _n_parameters(name, channels=channels, n_classes=n_classes) == expected


def test_every_model_has_its_count_checked() -> None:
    assert set(MODELS) <= set(PUBLISHED) | set(BLOCK_WIDTHS)


@pytest.mark.parametrize("name", RESIZABLE)
def test_width_and_blocks_set_the_stages(name: str) -> None:
    model = small_model(name, width=4, blocks=(1, 3))
    assert isinstance(model, PreActResNet)
    blocks = [m for m in model.modules() if isinstance(m, PreActBlock)]
    assert [block.conv2.out_channels for block in blocks] == [4, 8, 8, 8]
    assert model.classifier.in_features == 8


def test_five_stages_need_nine_pixels() -> None:
    model = small_model("preact_small", image_size=9, width=2, blocks=(1,) * 5)
    assert model(torch.rand(2, 3, 9, 9)).shape == (2, 10)


# --- Initialisation -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet18", "wrn_10_2"])
def test_convolutions_start_with_variance_two_over_fan_out(name: str) -> None:
    model = small_model(name)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight
            ratio = weight.var().item() * weight[:, 0].numel() / 2
            # The variance of n normal draws has relative sd sqrt(2 / n); five of them.
            assert ratio == pytest.approx(1, abs=5 * (2 / weight.numel()) ** 0.5)
    assert bool((model.classifier.bias == 0).all()) is (name != "resnet18")


def test_preact_weights_start_as_pytorchs_default() -> None:
    model = small_model("preact_small")
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            bound = module.weight[0].numel() ** -0.5  # kaiming_uniform_(a=sqrt(5))
            assert 0.9 * bound < module.weight.abs().max() <= bound
    assert (model.classifier.bias != 0).all()


# --- Normalisation and checkpoints ----------------------------------------------------


@pytest.mark.parametrize("name", RUNNABLE)
def test_normalising_inside_equals_normalising_outside(name: str) -> None:
    inside, plain = small_model(name, **CIFAR10), small_model(name)
    weights = inside.state_dict()
    mean, std = weights.pop("normalise.mean"), weights.pop("normalise.std")
    plain.load_state_dict(weights)
    x = torch.rand(2, 3, 8, 8)
    assert torch.equal(inside(x), plain((x - mean) / std))


@pytest.mark.parametrize("name", RUNNABLE)
def test_checkpoint_carries_the_normalisation(name: str, tmp_path: Path) -> None:
    saved = small_model(name, **CIFAR10)
    saved(torch.rand(4, 3, 8, 8))  # so that BN statistics are not at their start
    torch.save(saved.state_dict(), tmp_path / "model.pt")
    loaded = small_model(name, mean=(0, 0, 0), std=(1, 1, 1))
    loaded.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    assert isinstance(loaded.normalise, Normalise)
    assert loaded.normalise.mean.shape == loaded.normalise.std.shape == (1, 3, 1, 1)
    assert loaded.normalise.mean.flatten().tolist() == pytest.approx(CIFAR10["mean"])
    assert loaded.normalise.std.flatten().tolist() == pytest.approx(CIFAR10["std"])
    x = torch.rand(2, 3, 8, 8)
    assert torch.equal(saved.eval()(x), loaded.eval()(x))


def test_checkpoint_that_normalises_is_refused_by_a_network_that_does_not() -> None:
    normalises, plain = (
        small_model("preact_small", **CIFAR10),
        small_model("preact_small"),
    )
    with pytest.raises(RuntimeError, match=r"Unexpected key.*normalise\.mean"):
        plain.load_state_dict(normalises.state_dict())
    with pytest.raises(RuntimeError, match=r"Missing key.*normalise\.mean"):
        normalises.load_state_dict(plain.state_dict())
