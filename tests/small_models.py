"""Networks small enough for real numbers on one core, and images for them."""

from typing import Any

import torch
from torch import Tensor, nn

from rofit.models import build_model
from rofit.models.classifier import Classifier

# One of each kind that is small enough for real numbers on one core.
RUNNABLE = ["preact_resnet18", "preact_small", "preact_tiny", "resnet18", "wrn_10_2"]
SHAPES = [(1, 8), (3, 32), (1, 13), (3, 13)]
CIFAR10 = {"mean": (0.4914, 0.4822, 0.4465), "std": (0.2471, 0.2435, 0.2616)}


def small_model(name: str, **changed: Any) -> Classifier:
    return build_model(
        name, **({"channels": 3, "image_size": 8, "n_classes": 10} | changed)
    )


def settled(model: Classifier, image_size: int) -> Classifier:
    """Return the model in float64 and eval mode, its BN layers away from 0 and 1."""
    model = model.double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            module.momentum = 1.0
    model(images(8, image_size))
    return model.eval()


def images(n: int, image_size: int) -> Tensor:
    return torch.rand(n, 3, image_size, image_size, dtype=torch.float64)
