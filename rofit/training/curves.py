"""The learning curves of every run: clean and robust, train and test, each epoch.

``split = "train"`` rows of the steps' own inputs are measured on the fly: train mode,
augmented, the training adversaries, as this field's logs do; of images that are mixed
with others, against the given class of the first. The other row of the training images
(clean for a method that attacks, robust for one that does not) is measured after the
epoch in eval mode, without augmentation.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from rofit.attacks import geometry
from rofit.attacks.pgd import PGD
from rofit.evaluation.accuracy import Verdict, measure_accuracy
from rofit.evaluation.finite import NotFinite
from rofit.losses import cross_entropy
from rofit.measures.selection import selection_split
from rofit.seeding import generator
from rofit.training.batches import DeviceImages

Row = dict[str, Any]


class LearningCurves:
    """Sums over the steps of an epoch, and the evaluation at its end."""

    def __init__(
        self,
        train: DeviceImages,
        held_out: dict[str, DeviceImages],
        *,
        trained_with: PGD | None,
        evaluated_with: PGD,
        seed: int,
    ) -> None:
        """Fix the images and the evaluation's starts (the same in every epoch).

        Args:
            train: training images with their given labels.
            held_out: split name -> images; empty splits are left out.
            trained_with: the method's attack, for the name of the on-the-fly rows.
            evaluated_with: the attack of the evaluation.
            seed: the run's seed.
        """
        self.trained_with, self.evaluated_with = trained_with, evaluated_with
        self.held_out = {
            name: images for name, images in held_out.items() if len(images)
        }
        self.attacked, self.clean = dict(self.held_out), dict(self.held_out)
        if trained_with is None:
            self.attacked["train"] = train.first(len(held_out["test"]))
        else:
            self.clean["train"] = train
        self.starts = {
            name: self._starts(images, seed, name)
            for name, images in self.attacked.items()
        }
        # Correct predictions, loss and images since the epoch began; changed in place,
        # so that a captured step adds to them.
        self.sums = torch.zeros(3, dtype=torch.float64, device=train.y.device)
        self.logits: dict[
            tuple[str, str], Tensor
        ] = {}  # logits of the last epoch's rows

    def record_step(self, logits: Tensor, y: Tensor) -> None:
        """Add one step's predictions on what it was trained on: (B, K), (B,)."""
        correct = (logits.argmax(dim=1) == y).sum()
        loss = cross_entropy(logits, y).sum()
        step = torch.stack([correct.double(), loss.double()])
        step = torch.cat([step, step.new_full((1,), len(y))])
        self.sums += step

    def rows(self, model: nn.Module, *, evaluated: bool = True) -> list[Row]:
        """Return the epoch's rows and begin anew: one model, every split.

        Of an epoch that is not *evaluated*, what was recorded at its steps alone.

        Raises:
            NotFinite: predictions of the steps or of the model are not finite.
        """
        rows = self._on_the_fly()
        self.logits = {}
        if not evaluated:
            return rows
        for split, images in self.clean.items():
            verdict = measure_accuracy(model, images.unit(), images.y)
            self.logits[split, "none"] = verdict.logits
            rows += _rows(split, "none", verdict, "epoch_end")
        for split, images in self.attacked.items():
            verdict = measure_accuracy(
                model,
                images.unit(),
                images.y,
                attack=self.evaluated_with,
                start=self.starts[split],
            )
            self.logits[split, self.evaluated_with.name] = verdict.logits
            rows += _rows(split, self.evaluated_with.name, verdict, "epoch_end")
        return rows

    @property
    def selection_split(self) -> str:
        """The split whose robust accuracy chooses the best epoch."""
        return selection_split(self.held_out)

    def score(self, rows: list[Row]) -> float:
        """Return the robust accuracy that chooses the best epoch."""
        columns = {"split": self.selection_split, "attack": self.evaluated_with.name}
        columns |= {"metric": "accuracy"}
        (row,) = (row for row in rows if columns.items() <= row.items())
        return row["value"]

    def state_dict(self) -> dict[str, Any]:
        """Return the sums of the unfinished epoch."""
        return {"sums": self.sums}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the sums; older files have none at an epoch's end."""
        self.sums.zero_()
        if state["sums"] is not None:
            self.sums += state["sums"]

    def _on_the_fly(self) -> list[Row]:
        correct, loss, n = self.sums.tolist()
        assert n, "an epoch has at least one step"
        self.sums.zero_()
        if not math.isfinite(loss):
            raise NotFinite(f"the loss of the epoch's steps is not finite ({loss})")
        attack = "none" if self.trained_with is None else self.trained_with.name
        verdict = Verdict(correct / n, loss / n, int(n), torch.empty(0))
        return _rows("train", attack, verdict, "step")

    def _starts(self, images: DeviceImages, seed: int, split: str) -> Tensor:
        stream = generator(seed, "eval", split)
        shape = images.pixels.shape
        start = geometry.start(self.evaluated_with.threat, shape, stream)
        return start.to(images.pixels.device)


def _rows(split: str, attack: str, verdict: Verdict, measured: str) -> list[Row]:
    columns = {"split": split, "attack": attack, "n": verdict.n, "measured": measured}
    return [
        columns | {"metric": "accuracy", "value": verdict.accuracy},
        columns | {"metric": "loss", "value": verdict.loss},
    ]
