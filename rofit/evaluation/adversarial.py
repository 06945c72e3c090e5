"""Adversarial images of an evaluation: kept, rounded to 8 bits, written to a file."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rofit.attacks.geometry import inside, into_ball
from rofit.errors import UserError
from rofit.evaluation.verdicts import Stage
from rofit.settings.threat import ThreatModel
from rofit.writing import writing

FORMATS = (".npz", ".parquet")
_OFF_GRID = 1e-3  # of 1/255: what rounding of fp32 makes of a pixel value


class Candidates:
    """The last candidate that stages have found for each image, in its ball.

    Of an image that is fooled the one that fools it: it is not tried again.
    """

    def __init__(self, threat: ThreatModel, x: Tensor) -> None:
        """Begin with the images (N, C, H, W), at positions 0 to N - 1."""
        self.threat, self.x_adv = threat, x.clone()

    def kept(self, stage: Stage) -> Stage:
        """Return the stage, whose candidates are kept."""

        def find(x: Tensor, y: Tensor, index: list[int]) -> Tensor:
            candidates = stage.find(x, y, index)
            self.x_adv[index] = into_ball(self.threat, x, candidates).detach()
            return candidates

        return stage._replace(find=find)


def rounded(threat: ThreatModel, x: Tensor, x_adv: Tensor) -> Tensor:
    """Return adversarial images on the grid of 8-bit images, in their balls.

    The nearest point of the grid; where that is outside of the ball, the one towards
    the image.

    Args:
        threat: norm and radius.
        x: images (N, C, H, W), multiples of 1/255.
        x_adv: their adversarial images.

    Raises:
        UserError: images that are no multiples of 1/255.
    """
    pixels = (255 * x).round()
    if ((255 * x - pixels).abs() > _OFF_GRID).any():
        raise UserError(
            "images are no multiples of 1/255: 8-bit rounding would move them as well"
        )
    moved = 255 * x_adv - pixels
    nearest = moved.round()
    whole = torch.where(_in_ball(threat, x, pixels + nearest), nearest, moved.trunc())
    return ((pixels + whole) / 255).clamp(0, 1).to(x)


def save(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write adversarial images, a row an image and attack, as ``.npz`` or Parquet.

    Args:
        path: of the file, by whose end the format is known.
        rows: an attack each: ``attack``, ``norm``, ``epsilon``, and arrays of n rows:
            ``index``, ``y``, ``predicted`` and ``x_adv`` (n, C, H, W). A table has
            ``x_adv`` flat, with its ``shape``.

    Raises:
        NotWritten: the disk does not take it.
    """
    n = [len(row["index"]) for row in rows]
    columns: dict[str, Any] = {
        key: np.concatenate(
            [np.full(k, row[key]) for k, row in zip(n, rows, strict=True)]
        )
        for key in ("attack", "norm", "epsilon")
    }
    arrays = ("index", "y", "predicted", "x_adv")
    columns |= {key: np.concatenate([row[key] for row in rows]) for key in arrays}
    temporary = path.with_name(path.name + ".tmp")
    with writing(path):
        if path.suffix == ".npz":
            with open(temporary, "wb") as file:
                np.savez_compressed(file, **columns)
        else:
            images = columns["x_adv"]
            columns["x_adv"] = list(images.reshape(len(images), -1))
            columns["shape"] = [list(images.shape[1:])] * len(images)
            pd.DataFrame(columns).to_parquet(temporary, index=False)
        temporary.replace(path)


def require_format(path: Path) -> None:
    """Raise UserError unless the file can be written: its format and folder."""
    if path.suffix not in FORMATS:
        raise UserError(
            f"adversarial images are saved as {' or '.join(FORMATS)}, got {path}"
        )
    if not path.parent.is_dir():
        raise UserError(f"there is no folder {path.parent} for adversarial images")


def _in_ball(threat: ThreatModel, x: Tensor, pixels: Tensor) -> Tensor:
    return inside(threat, x, (pixels / 255).clamp(0, 1).to(x)).view(-1, 1, 1, 1)
