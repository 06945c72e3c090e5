"""Batches are a function of the plan, whatever their size and wherever they begin."""

import pytest
import torch
from toy_problems import random_images

from rofit.augmentation.crop_flip import CropFlip
from rofit.settings.spec import RunSpec
from rofit.training.batches import DeviceImages
from rofit.training.plan import EpochPlan

CPU = torch.device("cpu")
N = 23
KINDS = [(0, False), (0, True), (2, False), (2, True)]


@pytest.fixture
def images():
    """Return images of noise that are no two alike."""
    return DeviceImages(random_images(N, channels=3), CPU)


def _batches(images, *, size=5, pad=2, flip=True, begin=0, seed=3):
    spec = RunSpec(batch_size=size, crop_pad=pad, flip=flip)
    plan = EpochPlan(seed, 4, N)
    return plan, list(images.batches(spec, plan, begin=begin))


def _joined(batches):
    fields = zip(*((b.index, b.x, b.y) for b in batches), strict=True)
    return [torch.cat(field) for field in fields]


def _slow(pixels, plan, *, pad, flip):
    """Return every image cropped and mirrored, a pixel at a time."""
    n, channels, height, width = pixels.shape
    (draws,) = plan.augmented([CropFlip(pad, flip)], n, (height, width))
    out = torch.zeros(pixels.shape)
    for i in range(n):
        down, right = (draws["shifts"][i] - pad).tolist()
        mirrored = bool(draws["flips"][i])
        for r in range(height):
            for c in range(width):
                column = width - 1 - c if mirrored else c
                row, column = r + down, column + right
                if 0 <= row < height and 0 <= column < width:
                    out[i, :, r, c] = pixels[i, :, row, column] / 255
    return out


@pytest.mark.parametrize(("pad", "flip"), KINDS)
def test_batches_are_the_plans_images_cropped_and_mirrored(images, pad, flip):
    plan, batches = _batches(images, pad=pad, flip=flip)
    index, x, y = _joined(batches)
    assert torch.equal(index, plan.order) and torch.equal(y, images.y[index])
    assert torch.equal(x, _slow(images.pixels, plan, pad=pad, flip=flip)[index])
    assert x.dtype == torch.float32


def test_without_crop_and_flip_images_are_untouched(images):
    plan, batches = _batches(images, pad=0, flip=False)
    assert torch.equal(_joined(batches)[1], images.unit()[plan.order])


@pytest.mark.parametrize(("pad", "flip"), KINDS)
def test_images_do_not_depend_on_the_batch_size(images, pad, flip):
    one = _joined(_batches(images, size=5, pad=pad, flip=flip)[1])
    other = _joined(_batches(images, size=8, pad=pad, flip=flip)[1])
    assert all(map(torch.equal, one, other))


def test_last_batch_is_shorter_and_steps_are_counted_from_0(images):
    _, batches = _batches(images)
    assert [len(b.y) for b in batches] == [5, 5, 5, 5, 3]
    assert [b.step for b in batches] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("begin", range(6))
def test_resumed_epoch_yields_the_tail_of_the_unbroken_one(images, begin):
    _, whole = _batches(images)
    _, tail = _batches(images, begin=begin)
    assert [b.step for b in tail] == list(range(begin, 5))
    for one, other in zip(whole[begin:], tail, strict=True):
        assert torch.equal(one.index, other.index) and torch.equal(one.x, other.x)
        assert torch.equal(one.y, other.y)


def test_kept_images_are_not_written_to(images):
    before = images.pixels.clone()
    _, batches = _batches(images)
    for one in batches:
        one.x.zero_()
    assert torch.equal(images.pixels, before)


def test_unit_is_the_bytes_over_255(images):
    assert torch.equal(images.unit(), images.pixels.float() / 255)
    assert len(images) == N


def test_first_images_share_the_memory_and_leave_the_whole_alone(images):
    first = images.first(4)
    assert (len(first), len(images)) == (4, N)
    assert first.pixels.data_ptr() == images.pixels.data_ptr()
    assert torch.equal(first.y, images.y[:4])
    assert len(images.first(10 * N)) == N
