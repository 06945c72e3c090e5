"""Batched crop and flip against torchvision, one image at a time."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import functional as vision

from rofit.augmentation.crop_flip import crop_flip
from rofit.data.unit import to_unit
from rofit.errors import UserError

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
        ],
    ),
]


def _draws(shape, pad, seed=0):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    shifts = torch.randint(0, 2 * pad + 1, (shape[0], 2), generator=generator)
    flips = torch.rand(shape[0], generator=generator) < 0.5
    return pixels, shifts, flips


def _slow(pixels, shifts, flips, pad, mode="constant"):
    """Pad, crop and mirror image by image, as the field's transforms do."""
    done = []
    for image, (row, column), flip in zip(pixels, shifts.tolist(), flips, strict=True):
        padded = vision.pad(image, [pad] * 4, padding_mode=mode)
        image = vision.crop(padded, row, column, *image.shape[1:])
        done.append(vision.hflip(image) if flip else image)
    return torch.stack(done)


@given(
    shape=st.tuples(*(st.integers(1, high) for high in (6, 3, 7, 7))),
    pad=st.integers(0, 4),
    seed=st.integers(0, 99),
)
@settings(deadline=None, database=None, max_examples=60)
def test_crop_flip_equals_torchvision_image_by_image(shape, pad, seed):
    pixels, shifts, flips = _draws(shape, pad, seed)
    got = crop_flip(pixels, shifts=shifts, flips=flips, pad=pad)
    assert torch.equal(got, _slow(pixels, shifts, flips, pad))


def test_reflected_border_equals_torchvisions():
    pixels, shifts, flips = _draws((16, 3, 8, 9), pad=4)
    got = crop_flip(pixels, shifts=shifts, flips=flips, pad=4, fill="reflect")
    assert torch.equal(got, _slow(pixels, shifts, flips, 4, "reflect"))
    with pytest.raises(UserError, match="crop_fill=reflect"):
        crop_flip(pixels, shifts=shifts, flips=flips, pad=8, fill="reflect")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_crop_flip_of_a_training_batch_on_each_device(device, layout):
    pixels, shifts, flips = _draws((128, 3, 32, 32), pad=4)
    there = pixels.to(device, memory_format=layout)
    got = crop_flip(there, shifts=shifts, flips=flips, pad=4)
    assert got.device.type == device and got.dtype == torch.uint8
    assert torch.equal(got.cpu(), _slow(pixels, shifts, flips, 4))
    assert torch.equal(there.cpu(), pixels), "the images passed in are left alone"


def test_shifts_of_pad_move_nothing():
    pixels, _, _ = _draws((5, 3, 8, 8), pad=4)
    still = torch.full((5, 2), 4)
    off = torch.zeros(5, dtype=torch.bool)
    assert torch.equal(crop_flip(pixels, shifts=still, flips=off, pad=4), pixels)
    mirrored = crop_flip(pixels, shifts=still, flips=~off, pad=4)
    assert torch.equal(mirrored, pixels.flip(-1))


def test_to_unit_equals_torchvision_bit_for_bit():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    expected = vision.convert_image_dtype(pixels, torch.float32)
    assert torch.equal(to_unit(pixels), expected)
    assert (to_unit(pixels).min(), to_unit(pixels).max()) == (0, 1)


def test_scaled_pixels_are_refused():
    with pytest.raises(UserError, match="pixels must be uint8 .* got torch.float32"):
        to_unit(torch.zeros(2, 3, 4, 4))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"pad": -1}, "pad must be 0 or more pixels, got -1"),
        ({"shifts": torch.zeros(4, 2)}, r"shifts must be integers of shape \(4, 2\)"),
        ({"shifts": torch.zeros(3, 2).long()}, r"of shape \(4, 2\), got .* \(3, 2\)"),
        ({"shifts": torch.full((4, 2), 5)}, r"\[0, 4\] for pad 2, got 5 to 5"),
        ({"shifts": torch.full((4, 2), -1)}, r"\[0, 4\] for pad 2, got -1 to -1"),
        (
            {"flips": torch.zeros(4)},
            r"flips must be bool of shape \(4,\), got torch.fl",
        ),
        ({"flips": torch.ones(4, 1).bool()}, r"bool of shape \(4,\), got .* \(4, 1\)"),
    ],
)
def test_draws_that_do_not_fit_the_batch_are_refused(changed, sentence):
    pixels, shifts, flips = _draws((4, 3, 8, 8), pad=2)
    with pytest.raises(UserError, match=sentence):
        crop_flip(pixels, **({"shifts": shifts, "flips": flips, "pad": 2} | changed))
