"""Blocks and networks against slow ones of matrix products in float64."""

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from small_models import CIFAR10, images, settled, small_model
from torch import Tensor, nn

from rofit.models.classifier import Classifier
from rofit.models.preact_resnet import PreActBlock

State = dict[str, Tensor]


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


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
    model = settled(small_model(name, image_size=9, **CIFAR10), 9)
    state, x = model.state_dict(), images(2, 9)
    maps = (x - state["normalise.mean"]) / state["normalise.std"]
    maps = _conv(maps, state["stem.weight"], 2 if name == "preact_tiny" else 1)
    maps = _stages(maps, state, blocks, "stages.{0}", block)
    _assert_ends_in(model, x, F.relu(_bn(maps, state, "bn")))


def test_resnet18_equals_torchvisions_layers_assembled_by_hand() -> None:
    model = settled(small_model("resnet18", image_size=9), 9)
    state, x = model.state_dict(), images(2, 9)
    maps = _bn(_conv(x, state["trunk.conv1.weight"]), state, "trunk.bn1")
    maps = _stages(
        F.relu(maps), state, (2, 2, 2, 2), "trunk.layer{1}", _torchvision_block
    )
    _assert_ends_in(model, x, maps)
