"""Images and classes of other programs: tensors, arrays and lists, checked."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from rofit.adapters.inputs import Inputs
from rofit.errors import UserError

_WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def read_labelled(
    images: Any, classes: Any, inputs: Inputs, like: Tensor
) -> tuple[Tensor, Tensor]:
    """Return images (N, C, H, W) in [0, 1] and classes (N,), on the device of *like*.

    Args:
        images: a tensor or array; floats as the network takes them, or, where that is
            not [0, 1], uint8.
        classes: whole numbers; a tensor, an array or a list.
        inputs: what the network takes.
        like: a weight of the network, whose type images get; fp32 for half precision.

    Raises:
        UserError: another shape or type, or values out of range.
    """
    x, y = _tensor(images, "images"), _tensor(classes, "classes")
    fits = x.ndim == 4 and y.shape == x.shape[:1] and x.numel() > 0
    typed = x.is_floating_point() or (x.dtype == torch.uint8 and not inputs.is_unit)
    if not fits or not typed or y.dtype not in _WHOLE:
        hint = ""
        if x.dtype == torch.uint8:
            hint = '; divide by 255, or say inputs="bytes" if the network takes bytes'
        raise UserError(
            f"expected images (N, C, H, W) as floats in {inputs} and N classes as "
            f"whole numbers, got {x.dtype} {tuple(x.shape)} and {y.dtype} "
            f"{tuple(y.shape)}{hint}"
        )
    if x.shape[-1] in (1, 3) and x.shape[1] not in (1, 3):
        raise UserError(
            f"expected images (N, C, H, W), got {tuple(x.shape)}, which looks like "
            "(N, H, W, C); permute(0, 3, 1, 2) them"
        )
    dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
    floats = x.to(like.device, dtype)
    if x.dtype == torch.uint8:
        return floats / 255, y.to(like.device, torch.int64)
    return inputs.to_unit(floats), y.to(like.device, torch.int64)


def read_classes(classes: Any, n: int, like: Tensor, what: str) -> Tensor:
    """Return classes (n,) as int64 on the device of *like*.

    *what* says in words what is expected.

    Raises:
        UserError: another shape, or no whole numbers.
    """
    y = _tensor(classes, "classes")
    if y.dtype not in _WHOLE or y.shape != (n,):
        raise UserError(f"expected {what}, got {tuple(y.shape)} of {y.dtype}")
    return y.to(like.device, torch.int64)


def check_classes(y: Tensor, n_classes: int, whose: str) -> None:
    """Raise UserError for a class that the network has no logit for.

    Waits for the device.
    """
    low, high = (int(end) for end in torch.stack(y.aminmax()).tolist())
    if not 0 <= low <= high < n_classes:
        hint = "; classes count from 0" if (low, high) == (1, n_classes) else ""
        raise UserError(
            f"classes of {whose} must be from 0 to {n_classes - 1}, as the network "
            f"has {n_classes} logits, got {low} to {high}{hint}"
        )


def _tensor(values: Any, what: str) -> Tensor:
    if isinstance(values, Tensor):
        return values.detach()
    try:
        array = np.asarray(values)
        if array.dtype.byteorder == ">":
            array = array.astype(array.dtype.newbyteorder("="))
        return torch.from_numpy(np.ascontiguousarray(array))
    except (TypeError, ValueError):
        kind = type(values).__name__
        raise UserError(
            f"expected {what} as a tensor or an array of numbers, got {kind}"
        ) from None
