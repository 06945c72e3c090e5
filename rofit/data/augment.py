"""Random crop and flip of a whole batch at once, on the device where the images are.

The draws are arguments, so a loop, a faster version of it and a test can share them.
"""

import torch
from torch import Tensor
from torch.nn import functional

from rofit.errors import UserError


def to_unit(pixels: Tensor) -> Tensor:
    """Return float32 inputs in [0, 1].

    Args:
        pixels: uint8 (B, C, H, W), 0 to 255.

    Raises:
        UserError: if the pixels are not uint8.
    """
    _check_bytes(pixels)
    return pixels.to(torch.float32).div_(255)


def crop_flip(pixels: Tensor, *, shifts: Tensor, flips: Tensor, pad: int) -> Tensor:
    """Return each image zero-padded, cropped at an offset of its own, maybe mirrored.

    Output pixel (r, c) of image b is padded[b, :, r + shifts[b, 0], c + shifts[b, 1]],
    with columns mirrored afterwards where flips[b]; shifts of (pad, pad) move nothing.

    Args:
        pixels: uint8 (B, C, H, W).
        shifts: integers (B, 2), rows then columns, in [0, 2 pad].
        flips: bool (B,).
        pad: width in pixels of the black border on every side, 0 or more.

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
    padded = functional.pad(both, (pad, pad, pad, pad)).contiguous()
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


def _check_bytes(pixels: Tensor) -> None:
    if pixels.dtype != torch.uint8 or pixels.ndim != 4:
        raise UserError(
            "pixels must be uint8 of shape (B, C, H, W), got "
            f"{pixels.dtype} {tuple(pixels.shape)}; augment before scaling to [0, 1]"
        )


def _check_draws(pixels: Tensor, shifts: Tensor, flips: Tensor, pad: int) -> None:
    """Raise UserError unless the draws fit the batch."""
    _check_bytes(pixels)
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
