"""What the names in a RunSpec stand for: images, their split, the network, a device."""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from rofit.data import datasets
from rofit.data.images import Dataset
from rofit.data.splits import Splits, split
from rofit.errors import UserError, unknown
from rofit.models import build_model
from rofit.models.classifier import Classifier
from rofit.seeding import stream_seed
from rofit.settings.spec import RunSpec


def load_data(spec: RunSpec, data: Path) -> Dataset:
    """Return the spec's data set, from the folder *data* or downloaded into it."""
    return _load_data(spec.dataset, spec.dataset_digest, data)


@lru_cache(maxsize=1)
def _load_data(name: str, digest: str, data: Path) -> Dataset:
    return datasets.load(name, root=data, digest=digest)


def find_device(name: str) -> torch.device:
    """Return the device called ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UserError: an unknown name, or no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    numbered = re.fullmatch(r"(cpu|cuda)(?::([0-9]{1,3}))?", name)
    if numbered is None:
        raise unknown("device", name, ["auto", "cpu", "cuda"])
    count = torch.cuda.device_count()
    if numbered[1] == "cuda" and not int(numbered[2] or 0) < count:
        raise UserError(f"device {name} is not here: torch sees {count} CUDA devices")
    return torch.device(name)


def check_devices(names: Sequence[str]) -> None:
    """Raise UserError unless these are devices to spread runs over, each named once.

    Raises:
        UserError: ``auto``, an unknown name, no such device here, or one twice.
    """
    known: dict[torch.device, str] = {}
    for name in names:
        if name == "auto":
            raise UserError("devices expects names, cuda:0,cuda:1, got auto")
        device = find_device(name)
        if device.index is None:
            device = torch.device(device.type, 0)
        if device in known:
            twice = name if name == known[device] else f"{known[device]} as {name}"
            raise UserError(f"devices names {twice} twice; jobs shares one device")
        known[device] = name


def device_name(device: torch.device) -> str:
    """Return what a result calls the device: a GPU's model, or ``cpu``."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def split_of(spec: RunSpec, data: Dataset) -> Splits:
    """Return the training, validation and test images of a run."""
    return split(
        data,
        train_size=spec.train_size,
        val_size=spec.val_size,
        test_size=spec.test_size,
        data_seed=spec.data_seed,
    )


def build_network(spec: RunSpec, **sizes: Any) -> Classifier:
    """Return the network that a run's fields name.

    *sizes* are what `build_model` takes of the images: channels, image_size, n_classes,
    mean and std.
    """
    return build_model(
        spec.model,
        width=spec.width or None,
        blocks=spec.blocks or None,
        activation=spec.activation,
        form=spec.form,
        **sizes,
    )


def initial_model(spec: RunSpec, data: Dataset) -> Classifier:
    """Return the network of a run at its start, on the CPU."""
    mean, std = data.statistics() if spec.normalise else (None, None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(spec.seed, "init"))
        model = build_network(
            spec,
            channels=data.channels,
            image_size=min(data.image_size),
            n_classes=data.n_classes,
            mean=mean,
            std=std,
        )
    # The layout in which convolutions are fast; it changes no value beyond rounding.
    return model.to(memory_format=torch.channels_last)
