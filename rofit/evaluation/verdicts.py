"""Stages of attacks over images: verdicts, kept image by image after every batch.

The table of verdicts is all the state there is: whoever has it can go on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn

from rofit.attacks.geometry import inside, into_ball
from rofit.evaluation.finite import finite_logits
from rofit.settings.threat import ThreatModel

COLUMNS = {
    "index": "position in the data set's test part",
    "class": "true class",
    "stages": "stages that the image has been through",
    "fooled_by": "the stage that found an adversarial example; empty if none has",
}


# images (B, C, H, W), classes (B,), positions -> candidates for adversarial examples
Find = Callable[[Tensor, Tensor, list[int]], Tensor]


class Stage(NamedTuple):
    """One attack on every image that is still classified correctly.

    Attributes:
        name: unique among the stages of the case: ``apgd-t 3``.
        group: the attack that it is a part of: ``apgd-t``.
        cost: forward passes with an input gradient, an image, at most.
        find: makes the candidates.
    """

    name: str
    group: str
    cost: float
    find: Find


@dataclass(frozen=True)
class EvaluationImages:
    """Images under evaluation, on the device: (N, C, H, W) in [0, 1], classes (N,).

    ``index`` are their positions in the published test part: what draws depend on.
    """

    x: Tensor
    y: Tensor
    index: list[int]

    def share(self, k: int, of: int) -> "EvaluationImages":
        """Return every *of*-th image, beginning with the *k*-th (from 1)."""
        part = slice(k - 1, None, of)
        return EvaluationImages(self.x[part], self.y[part], self.index[part])

    def first(self, n: int) -> "EvaluationImages":
        """Return the first *n* images."""
        return EvaluationImages(self.x[:n], self.y[:n], self.index[:n])


def unattacked(images: EvaluationImages) -> pd.DataFrame:
    """Return the table of verdicts before the first stage."""
    columns = {"index": images.index, "class": images.y.tolist()}
    return pd.DataFrame(columns).assign(stages=0, fooled_by="")


def run_stages(
    stages: list[Stage],
    network: nn.Module,
    threat: ThreatModel,
    images: EvaluationImages,
    table: pd.DataFrame,
    *,
    chunk: int,
    after: Callable[[pd.DataFrame, Stage, int], bool],
) -> bool:
    """Put every image through the stages until it is fooled; say whether all is done.

    Args:
        stages: in order.
        network: in eval mode.
        threat: candidates outside of its ball do not count.
        images: under evaluation.
        table: their verdicts so far, a row an image in the same order; changed.
        chunk: images at a time.
        after: called after every batch with table, stage and number of images; True
            stops.

    Raises:
        NotFinite: the network's logits are not finite.
    """
    for number, stage in enumerate(stages):
        pending = table.index[(table["stages"] == number) & (table["fooled_by"] == "")]
        for begin in range(0, len(pending), chunk):
            rows = pending[begin : begin + chunk]
            where = torch.tensor(rows.tolist(), device=images.x.device)
            x, y = images.x[where], images.y[where]
            candidates = stage.find(x, y, [images.index[i] for i in rows])
            wrong = fooled(network, threat, x, y, candidates).cpu().numpy()
            table.loc[rows, "stages"] = number + 1
            table.loc[rows[wrong], "fooled_by"] = stage.name
            if after(table, stage, len(rows)):
                return finished(table, stages)
    return True


def finished(table: pd.DataFrame, stages: list[Stage]) -> bool:
    """Return whether every image is fooled or has been through all stages."""
    done = (table["stages"] == len(stages)) | (table["fooled_by"] != "")
    return bool(done.all())


def fooled(
    network: nn.Module, threat: ThreatModel, x: Tensor, y: Tensor, x_adv: Tensor
) -> Tensor:
    """Return whether each candidate is in the ball and predicted wrongly: bool (B,).

    What an attack says of itself does not count: candidates are projected, which
    removes rounding only, and predicted anew.

    Raises:
        NotFinite: a logit of a candidate in the ball is NaN or infinite.
    """
    with torch.no_grad():
        logits = network(into_ball(threat, x, x_adv))
    near = inside(threat, x, x_adv)
    finite_logits(logits[near])
    return near & (logits.argmax(dim=1) != y)


def robust_accuracy(table: pd.DataFrame) -> float:
    """Return the share of images that nothing has fooled so far."""
    return float((table["fooled_by"] == "").mean())


def accuracy_after(table: pd.DataFrame, stages: list[Stage]) -> dict[str, float]:
    """Return the share of images left after each attack, by its name, in order."""
    fooled_in = {stage.name: number for number, stage in enumerate(stages)}
    when = table["fooled_by"].map(fooled_in).fillna(len(stages))
    last = {stage.group: number for number, stage in enumerate(stages)}
    return {group: float((when > number).mean()) for group, number in last.items()}
