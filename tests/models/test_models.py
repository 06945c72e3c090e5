"""Networks: sizes, slow twins in float64, normalisation, checkpoints, messages.

The big wide ResNets are built on the meta device only: shapes and counts, no memory.
"""

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import rofit.models
from rofit.errors import UserError
from rofit.models import MODELS, RESIZABLE, build_model
from rofit.models.classifier import Classifier
from rofit.models.normalise import Normalise
from rofit.models.preact_resnet import PreActBlock, PreActResNet

# One of each kind that is small enough for real numbers on one core.
RUNNABLE = ["preact_resnet18", "preact_small", "preact_tiny", "resnet18", "wrn_10_2"]
SHAPES = [(1, 8), (3, 32), (1, 13), (3, 13)]
CIFAR10 = {"mean": (0.4914, 0.4822, 0.4465), "std": (0.2471, 0.2435, 0.2616)}


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def _model(name: str, **changed: Any) -> Classifier:
    return build_model(
        name, **({"channels": 3, "image_size": 8, "n_classes": 10} | changed)
    )


def _settled(model: Classifier, image_size: int) -> Classifier:
    """Return the model in float64 and eval mode, its BN layers away from 0 and 1."""
    model = model.double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            module.momentum = 1.0
    model(_images(8, image_size))
    return model.eval()


def _images(n: int, image_size: int) -> Tensor:
    return torch.rand(n, 3, image_size, image_size, dtype=torch.float64)


# --- Contract -------------------------------------------------------------------------


@pytest.mark.parametrize(("channels", "image_size"), SHAPES)
@pytest.mark.parametrize("name", [*MODELS, "wrn_10_1"])
def test_every_model_has_features_a_classifier_and_no_hidden_normalisation(
    name: str, channels: int, image_size: int
) -> None:
    with torch.device("meta"):
        model = _model(name, channels=channels, image_size=image_size, n_classes=7)
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
    model = _model(name, channels=channels, image_size=image_size, n_classes=5)
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
    model = _settled(_model(name), 8)
    x = _images(4, 8)
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
}


def _n_parameters(name: str, **changed: Any) -> int:
    with torch.device("meta"):
        model = _model(name, **changed)
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
    model = _model(name, width=4, blocks=(1, 3))
    assert isinstance(model, PreActResNet)
    blocks = [m for m in model.modules() if isinstance(m, PreActBlock)]
    assert [block.conv2.out_channels for block in blocks] == [4, 8, 8, 8]
    assert model.classifier.in_features == 8


def test_five_stages_need_nine_pixels() -> None:
    model = _model("preact_small", image_size=9, width=2, blocks=(1,) * 5)
    assert model(torch.rand(2, 3, 9, 9)).shape == (2, 10)


# --- Slow twins -----------------------------------------------------------------------

State = dict[str, Tensor]


def _conv(x: Tensor, weight: Tensor, stride: int = 1) -> Tensor:
    """Convolve, padding (size - 1) / 2, as one matrix product per kernel offset."""
    size = weight.shape[-1]
    x = F.pad(x, (size // 2,) * 4)
    n = (x.shape[-1] - size) // stride + 1
    out = torch.zeros(len(x), len(weight), n, n, dtype=x.dtype)
    for i in range(size):
        for j in range(size):
            patch = x[:, :, i:, j:][:, :, ::stride, ::stride][:, :, :n, :n]
            out += torch.einsum("oc,bchw->bohw", weight[:, :, i, j], patch)
    return out


def _bn(x: Tensor, state: State, name: str, training: bool = False) -> Tensor:
    mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    if training:
        mean = x.mean((0, 2, 3))
        var = x.square().mean((0, 2, 3)) - mean**2
    scale = state[f"{name}.weight"] / (var + 1e-5).sqrt()
    shift = state[f"{name}.bias"] - mean * scale
    return x * scale[:, None, None] + shift[:, None, None]


def _preact_block(
    x: Tensor, state: State, at: str, stride: int, training: bool = False
) -> Tensor:
    a = F.relu(_bn(x, state, f"{at}bn1", training))
    out = _conv(a, state[f"{at}conv1.weight"], stride)
    out = F.relu(_bn(out, state, f"{at}bn2", training))
    out = _conv(out, state[f"{at}conv2.weight"])
    if f"{at}shortcut.weight" in state:
        return out + _conv(a, state[f"{at}shortcut.weight"], stride)
    return out + x


def _wide_block(x: Tensor, state: State, at: str, stride: int) -> Tensor:
    """Branch as TRADES' block does: on the channels, activating x itself or a copy."""
    out_channels, in_channels = state[f"{at}conv1.weight"].shape[:2]
    a = F.relu(_bn(x, state, f"{at}bn1"))
    if in_channels != out_channels:
        x = a
    out = _conv(
        a if in_channels == out_channels else x, state[f"{at}conv1.weight"], stride
    )
    out = _conv(F.relu(_bn(out, state, f"{at}bn2")), state[f"{at}conv2.weight"])
    if in_channels != out_channels:
        x = _conv(x, state[f"{at}shortcut.weight"], stride)
    return x + out


def _torchvision_block(x: Tensor, state: State, at: str, stride: int) -> Tensor:
    out = F.relu(_bn(_conv(x, state[f"{at}conv1.weight"], stride), state, f"{at}bn1"))
    out = _bn(_conv(out, state[f"{at}conv2.weight"]), state, f"{at}bn2")
    if stride == 2:
        x = _conv(x, state[f"{at}downsample.0.weight"], 2)
        x = _bn(x, state, f"{at}downsample.1")
    return F.relu(x + out)


def _stages(
    x: Tensor,
    state: State,
    blocks: tuple[int, ...],
    at: str,
    block: Callable[..., Tensor],
) -> Tensor:
    for i, n_blocks in enumerate(blocks):
        for j in range(n_blocks):
            stride = 2 if i > 0 and j == 0 else 1
            x = block(x, state, f"{at.format(i, i + 1)}.{j}.", stride)
    return x


def _assert_ends_in(model: Classifier, x: Tensor, maps: Tensor) -> None:
    state = model.state_dict()
    features = maps.mean((2, 3))
    logits = features @ state["classifier.weight"].T + state["classifier.bias"]
    torch.testing.assert_close(model.features(x), features, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(model(x), logits, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("image_size", [6, 7])
@pytest.mark.parametrize(
    ("widths", "stride", "has_conv"),
    [((4, 4), 1, False), ((4, 6), 1, True), ((4, 8), 2, True), ((4, 4), 2, True)],
)
def test_preact_block_equals_its_slow_twin(
    widths: tuple[int, int],
    stride: int,
    has_conv: bool,
    image_size: int,
    training: bool,
) -> None:
    block = PreActBlock(*widths, stride).double().train(training)
    for bn in (block.bn1, block.bn2):
        for tensor in (bn.weight, bn.bias, bn.running_mean, bn.running_var):
            assert tensor is not None
            nn.init.uniform_(tensor, 0.5, 1.5)
    assert (block.shortcut is not None) is has_conv
    state = {name: tensor.clone() for name, tensor in block.state_dict().items()}
    x = torch.randn(3, widths[0], image_size, image_size, dtype=torch.float64)
    twin = _preact_block(x, state, "", stride, training)
    torch.testing.assert_close(block(x), twin, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "blocks", "block"),
    [
        ("preact_resnet18", (2, 2, 2, 2), _preact_block),
        ("preact_small", (1, 1, 1), _preact_block),
        ("preact_tiny", (1, 1, 1), _preact_block),
        ("wrn_10_2", (1, 1, 1), _wide_block),
        ("wrn_16_1", (2, 2, 2), _wide_block),
    ],
)
def test_preact_and_wide_networks_equal_their_slow_twins(
    name: str, blocks: tuple[int, ...], block: Callable[..., Tensor]
) -> None:
    model = _settled(_model(name, image_size=9, **CIFAR10), 9)
    state, x = model.state_dict(), _images(2, 9)
    maps = (x - state["normalise.mean"]) / state["normalise.std"]
    maps = _conv(maps, state["stem.weight"], 2 if name == "preact_tiny" else 1)
    maps = _stages(maps, state, blocks, "stages.{0}", block)
    _assert_ends_in(model, x, F.relu(_bn(maps, state, "bn")))


def test_resnet18_equals_torchvisions_layers_assembled_by_hand() -> None:
    model = _settled(_model("resnet18", image_size=9), 9)
    state, x = model.state_dict(), _images(2, 9)
    maps = _bn(_conv(x, state["trunk.conv1.weight"]), state, "trunk.bn1")
    maps = _stages(
        F.relu(maps), state, (2, 2, 2, 2), "trunk.layer{1}", _torchvision_block
    )
    _assert_ends_in(model, x, maps)


# --- Initialisation -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet18", "wrn_10_2"])
def test_convolutions_start_with_variance_two_over_fan_out(name: str) -> None:
    model = _model(name)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight
            ratio = weight.var().item() * weight[:, 0].numel() / 2
            # The variance of n normal draws has relative sd sqrt(2 / n); five of them.
            assert ratio == pytest.approx(1, abs=5 * (2 / weight.numel()) ** 0.5)
    assert bool((model.classifier.bias == 0).all()) is (name != "resnet18")


def test_preact_weights_start_as_pytorchs_default() -> None:
    model = _model("preact_small")
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            bound = module.weight[0].numel() ** -0.5  # kaiming_uniform_(a=sqrt(5))
            assert 0.9 * bound < module.weight.abs().max() <= bound
    assert (model.classifier.bias != 0).all()


# --- Normalisation and checkpoints ----------------------------------------------------


@pytest.mark.parametrize("name", RUNNABLE)
def test_normalising_inside_equals_normalising_outside(name: str) -> None:
    inside, plain = _model(name, **CIFAR10), _model(name)
    weights = inside.state_dict()
    mean, std = weights.pop("normalise.mean"), weights.pop("normalise.std")
    plain.load_state_dict(weights)
    x = torch.rand(2, 3, 8, 8)
    assert torch.equal(inside(x), plain((x - mean) / std))


@pytest.mark.parametrize("name", RUNNABLE)
def test_checkpoint_carries_the_normalisation(name: str, tmp_path: Path) -> None:
    saved = _model(name, **CIFAR10)
    saved(torch.rand(4, 3, 8, 8))  # so that BN statistics are not at their start
    torch.save(saved.state_dict(), tmp_path / "model.pt")
    loaded = _model(name, mean=(0, 0, 0), std=(1, 1, 1))
    loaded.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    assert isinstance(loaded.normalise, Normalise)
    assert loaded.normalise.mean.shape == loaded.normalise.std.shape == (1, 3, 1, 1)
    assert loaded.normalise.mean.flatten().tolist() == pytest.approx(CIFAR10["mean"])
    assert loaded.normalise.std.flatten().tolist() == pytest.approx(CIFAR10["std"])
    x = torch.rand(2, 3, 8, 8)
    assert torch.equal(saved.eval()(x), loaded.eval()(x))


def test_checkpoint_that_normalises_is_refused_by_a_network_that_does_not() -> None:
    normalises, plain = _model("preact_small", **CIFAR10), _model("preact_small")
    with pytest.raises(RuntimeError, match=r"Unexpected key.*normalise\.mean"):
        plain.load_state_dict(normalises.state_dict())
    with pytest.raises(RuntimeError, match=r"Missing key.*normalise\.mean"):
        normalises.load_state_dict(plain.state_dict())


# --- Messages -------------------------------------------------------------------------


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
        ("preact_small", {"width": 0}, "width must be a positive int, got 0"),
        ("preact_small", {"width": 8.0}, r"width must be a positive int, got 8\.0"),
        ("preact_small", {"blocks": ()}, r"tuple of positive ints.*; got \(\)"),
        ("preact_small", {"blocks": (1, 0)}, r"positive ints.*; got \(1, 0\)"),
        ("preact_small", {"blocks": 2}, "tuple of positive ints.*; got 2"),
        ("resnet18", {"mean": [0.5] * 3}, "given together, got only mean"),
        ("resnet18", {"std": [0.5] * 3}, "given together, got only std"),
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
        _model(name, **changed)
