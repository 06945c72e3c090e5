"""Networks whose weight gradients crashed torch, each in a process of its own."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from rofit.models.preact_resnet import PointwiseConv2d

# Three backward passes, on images as data give them and as compiled attacks return
# them. The network is laid out as rofit.running.components does.
STEPS = """
import torch
from rofit.models import build_model

torch.set_num_threads({threads})
net = build_model(
    {model!r}, channels=3, image_size={size}, n_classes=4, width={width}
).to(memory_format=torch.channels_last)
x = torch.rand({batch}, 3, {size}, {size})
for images in (x, x.contiguous(memory_format=torch.channels_last), x):
    net(images).sum().backward()
"""
# What ended in a segmentation fault, or "double free or corruption".
CRASHED = [
    ("preact_resnet18", 4, 64, 8, 2),
    ("preact_resnet18", 8, 64, 8, 2),
    ("preact_resnet18", 8, 56, 16, 1),
    ("preact_small", 8, 96, 8, 2),
    ("preact_small", 12, 96, 8, 1),
    ("preact_tiny", 4, 128, 8, 2),
]


@pytest.mark.parametrize(("model", "width", "size", "batch", "threads"), CRASHED)
def test_narrow_networks_on_large_images_train_without_a_crash(
    model, width, size, batch, threads
):
    code = STEPS.format(
        model=model, width=width, size=size, batch=batch, threads=threads
    )
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("size", [32, 33, 48])
@pytest.mark.parametrize("channels", [3, 16])
def test_pointwise_convolution_and_its_gradients_are_torchs(channels, size):
    torch.manual_seed(0)
    settings = {"kernel_size": 1, "stride": 2, "bias": False, "dtype": torch.float64}
    ours = PointwiseConv2d(channels, 5, **settings)
    x = torch.rand(2, channels, size, size, dtype=torch.float64, requires_grad=True)
    theirs = F.conv2d(x, ours.weight, stride=2)  # contiguous: does not crash
    inputs, weights = (x, ours.weight), torch.rand_like(theirs)
    torch.testing.assert_close(ours(x), theirs)
    for one, other in zip(
        torch.autograd.grad(ours(x), inputs, weights),
        torch.autograd.grad(theirs, inputs, weights),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_usual_networks_make_torchs_own_convolution(monkeypatch):
    """32 pixels or 16 channels: not a bit of their runs may change."""
    calls = []
    monkeypatch.setattr(
        torch.nn.Conv2d, "forward", lambda conv, x: calls.append(tuple(x.shape))
    )
    for channels, size in ((4, 32), (16, 64), (64, 224)):
        conv = PointwiseConv2d(channels, 2, kernel_size=1, stride=2, bias=False)
        conv(torch.empty(1, channels, size, size))
    assert calls == [(1, 4, 32, 32), (1, 16, 64, 64), (1, 64, 224, 224)]
