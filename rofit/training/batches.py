"""Training images on the training device, augmented a whole batch at a time."""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from rofit.augmentation import Augmentation, find_augmentation, find_mixing
from rofit.augmentation.layer import Draws
from rofit.data.images import Images
from rofit.data.unit import to_unit
from rofit.distributed.part import Part
from rofit.settings.spec import RunSpec
from rofit.training.plan import EpochPlan


@dataclass(frozen=True)
class Batch:
    """One step's images: number of the step, positions, inputs in [0, 1], classes."""

    step: int
    index: Tensor
    x: Tensor
    y: Tensor

    def of(self, part: Part) -> "Batch":
        """Return the images of one process."""
        return Batch(
            self.step, part.own(self.index), part.own(self.x), part.own(self.y)
        )


class DeviceImages:
    """A set of images as uint8 on the training device, with its classes."""

    def __init__(self, images: Images, device: torch.device) -> None:
        """Copy the images over, once."""
        self.pixels = torch.from_numpy(images.pixels).to(device)
        self.y = torch.from_numpy(images.labels).to(device)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.y)

    def first(self, n: int) -> "DeviceImages":
        """Return the first *n* images, sharing their memory."""
        subset = copy(self)
        subset.pixels, subset.y = self.pixels[:n], self.y[:n]
        return subset

    def unit(self) -> Tensor:
        """Return all images, (N, C, H, W) in [0, 1], without augmentation."""
        return to_unit(self.pixels)

    def batches(self, spec: RunSpec, plan: EpochPlan, begin: int) -> Iterator[Batch]:
        """Yield the epoch's batches from step *begin* on, the last one shorter."""
        layers, mixing = find_augmentation(spec), find_mixing(spec)
        draws = plan.augmented(layers, len(self), self._size)
        pairs = plan.paired(mixing, len(self), self._size) if mixing else {}
        order = onto(plan.order, self.pixels.device)
        split = (indices.split(spec.batch_size) for indices in (order, plan.order))
        for step, (index, rows) in enumerate(zip(*split, strict=True)):
            if step < begin:
                continue
            x = self._augmented(layers, draws, index, rows)
            if mixing:
                partners = pairs["partner"][rows]
                there = onto(partners, self.pixels.device)
                other = self._augmented(layers, draws, there, partners)
                x = mixing(x, other, _rows(pairs, rows))
            yield Batch(step, index, x, self.y[index])

    def pairs(self, spec: RunSpec, epoch: int) -> Draws:
        """Return with which images, and by which shares, a run that mixes does so."""
        mixing = find_mixing(spec)
        assert mixing, "only for a run that mixes images"
        plan = EpochPlan(spec.seed, epoch, len(self))
        return plan.paired(mixing, len(self), self._size)

    @property
    def _size(self) -> tuple[int, int]:
        height, width = self.pixels.shape[-2:]
        return height, width

    def _augmented(
        self, layers: Augmentation, draws: list[Draws], index: Tensor, rows: Tensor
    ) -> Tensor:
        """Return images in [0, 1]; *rows* is *index* on the CPU, where draws are."""
        pixels = self.pixels[index]
        for layer, by_name in zip(layers, draws, strict=True):
            pixels = layer(pixels, _rows(by_name, rows))
        return to_unit(pixels)


def _rows(draws: Draws, rows: Tensor) -> Draws:
    return {name: values[rows] for name, values in draws.items()}


def onto(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the CPU on *device*; a GPU's work does not wait for it."""
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
