"""Random crop and flip of a whole batch at once, on the device where the images are.

The draws are arguments, so a loop, a faster version of it and a test can share them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from rofit.augmentation.layer import Draws, Layer, Stream
from rofit.data.unit import check_bytes
from rofit.errors import UserError


@dataclass(frozen=True)
class CropFlip(Layer):
    """Crop from a padded image, and mirror half of them.

    Attributes:
        pad: width of the border on every side, in pixels; 0 crops nothing.
        flip: whether half of the images are mirrored.
        fill: ``zeros``, or ``reflect`` (Rice et al.).
    """

    pad: int
    flip: bool
    fill: str = "zeros"

    def draw(self, stream: Stream, n: int, size: tuple[int, int]) -> Draws:
        """Return ``shifts`` (n, 2) in [0, 2 pad] and ``flips`` (n,)."""
        shifts = torch.randint(0, 2 * self.pad + 1, (n, 2), generator=stream("crop"))
        flips = torch.rand(n, generator=stream("flip")) < 0.5
        return {"shifts": shifts, "flips": flips & self.flip}

    def __call__(self, pixels: Tensor, draws: Draws) -> Tensor:
        """Return the images, cropped and mirrored."""
        if not (self.pad or self.flip):
            return pixels
        return crop_flip(pixels, **draws, pad=self.pad, fill=self.fill)


def crop_flip(
    pixels: Tensor, *, shifts: Tensor, flips: Tensor, pad: int, fill: str = "zeros"
) -> Tensor:
    """Return each image padded, cropped at an offset of its own, maybe mirrored.

    Output pixel (r, c) of image b is padded[b, :, r + shifts[b, 0], c + shifts[b, 1]],
    with columns mirrored afterwards where flips[b]; shifts of (pad, pad) move nothing.

    Args:
        pixels: uint8 (B, C, H, W).
        shifts: integers (B, 2), rows then columns, in [0, 2 pad].
        flips: bool (B,).
        pad: width in pixels of the border on every side, 0 or more.
        fill: what the border is: ``zeros``, or ``reflect`` for the image mirrored at
            its edge.

    Returns:
        uint8 (B, C, H, W) on the device of *pixels*.

    Raises:
        UserError: if dtypes or shapes do not fit, or (looked at only on the CPU, where
            it costs no synchronisation) a shift leaves the padded image.
    """
    _check_draws(pixels, shifts, flips, pad)
    batch, channels, height, width = pixels.shape
    device = pixels.device
    shifts = shifts.to(device, torch.int64, non_blocking=True)
    flips = flips.to(device, non_blocking=True)
    both = torch.stack([pixels, pixels.flip(-1)])
    padded = _padded(both, pad, fill).contiguous()
    # Every run of `width` bytes is a row of a view; picking B C H of them takes a third
    # of the time of windows and torch.where, a tenth of that of an index a pixel.
    runs = padded.flatten().unfold(0, width, 1)
    side, image, channel, row, _ = padded.stride()
    # A crop at column c, mirrored, is the crop at 2 pad - c of the mirrored image.
    columns = torch.where(flips, 2 * pad - shifts[:, 1], shifts[:, 1])
    start = flips * side + torch.arange(batch, device=device) * image
    start = start + shifts[:, 0] * row + columns
    start = start[:, None] + torch.arange(channels, device=device) * channel
    start = start[:, :, None] + torch.arange(height, device=device) * row
    return runs.index_select(0, start.flatten()).view(pixels.shape)


def _padded(pixels: Tensor, pad: int, fill: str) -> Tensor:
    border = (pad, pad, pad, pad)
    if fill == "zeros":
        return functional.pad(pixels, border)
    if pad >= min(pixels.shape[-2:]):
        raise UserError(
            f"crop_fill=reflect mirrors at most a side of the image less a pixel, got "
            f"crop_pad {pad} for images of {tuple(pixels.shape[-2:])}"
        )
    batches = pixels.flatten(0, -4).float()  # torch reflects no bytes on a GPU
    return (
        functional.pad(batches, border, "reflect")
        .to(pixels.dtype)
        .unflatten(0, pixels.shape[:-3])
    )


def _check_draws(pixels: Tensor, shifts: Tensor, flips: Tensor, pad: int) -> None:
    """Raise UserError unless the draws fit the batch."""
    check_bytes(pixels)
    batch = len(pixels)
    if pad < 0:
        raise UserError(
            f"pad must be 0 or more pixels, got {pad}; 0 turns cropping off"
        )
    if shifts.shape != (batch, 2) or shifts.dtype.is_floating_point:
        raise UserError(
            f"shifts must be integers of shape ({batch}, 2), got {shifts.dtype} "
            f"{tuple(shifts.shape)}; draw two offsets an image"
        )
    if flips.shape != (batch,) or flips.dtype != torch.bool:
        raise UserError(
            f"flips must be bool of shape ({batch},), got {flips.dtype} "
            f"{tuple(flips.shape)}; draw one an image"
        )
    if shifts.device.type == "cpu":
        low, high = (int(end) for end in shifts.aminmax())
        if low < 0 or high > 2 * pad:
            raise UserError(
                f"shifts must be in [0, {2 * pad}] for pad {pad}, got {low} to {high}; "
                "draw them below 2 * pad + 1"
            )
