"""What the network has learnt of redrawn training labels: Figure 4.

Nothing but memory leads from an image to a label that was drawn at random, so accuracy
on the corrupted portion against given labels is memorisation, and against true labels
it is what the network knows better than its teacher.
"""

from typing import Any, ClassVar

from torch import Tensor

from rofit.diagnostics.diagnostic import (
    Column,
    EpochDiagnostic,
    Measured,
    Row,
    Schedule,
)
from rofit.diagnostics.view import EpochView, Split


class Memorisation(EpochDiagnostic):
    """Training accuracy by portion and labels, and what was learnt for good.

    The corrupted portion are the images whose label was drawn anew, the untouched one
    all others. With uniform noise 1/K of the corrupted labels are the true ones by
    chance, and 1/K is what knowing nothing of them gives. Eval mode, no augmentation;
    clean on all training images, attacked (with given classes) on the first 256.
    Source: docs/diagnostics.md, "Memorisation"; ever learnt and forgotten are ours.

    Attributes:
        learnt: whether each corrupted label, in the order of positions, was predicted
            on its clean image at any measured epoch; bool (M,), None before the first.
    """

    columns: ClassVar[dict[str, Column]] = {
        "portion_accuracy": Column(
            "fraction", "argmax = labels (given, true) on a portion of the training set"
        ),
        "corrupted_ever_learnt": Column(
            "fraction", "of corrupted labels that were predicted at any measured epoch"
        ),
        "corrupted_forgotten": Column(
            "fraction", "of corrupted labels that were, and are not predicted any more"
        ),
    }
    cost: ClassVar[str] = (
        "nothing where training attacks, else one clean pass over the training images; "
        "ten times a run an attack on 256 of them"
    )
    when: ClassVar[Schedule] = Schedule()
    when_attacked: ClassVar[Schedule] = Schedule(10)
    n_attacked: ClassVar[int] = 256

    def __init__(self) -> None:
        """Begin with nothing learnt."""
        self.learnt: Tensor | None = None

    def why_not(self, view: EpochView) -> str:
        """Return what to do where no training label was redrawn."""
        if view.redrawn.any():
            return ""
        return (
            "no training label was redrawn; train with --set label_noise=0.4, or tell "
            "watch() the true classes"
        )

    def measure(self, view: EpochView) -> Measured:
        """Return accuracies, and the two fractions of the corrupted portion."""
        train = view.splits["train"]
        predicted = view.logits("train", "none", len(train.y)).argmax(dim=1)
        rows = _accuracies(predicted, train, view.redrawn, "none")
        rows += self._remember((predicted == train.y)[view.redrawn])
        if self.when_attacked.due(view.epoch, view.spec.evaluated_epochs):
            name = view.attack.name
            predicted = view.logits("train", name, self.n_attacked).argmax(dim=1)
            rows += _accuracies(predicted, train, view.redrawn, name)
        return Measured(rows)

    def state_dict(self) -> dict[str, Any]:
        """Return what was ever learnt."""
        return {"learnt": self.learnt}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.learnt = state["learnt"]

    def _remember(self, now: Tensor) -> list[Row]:
        """Add what is predicted now, bool (M,); return the two fractions."""
        self.learnt = now if self.learnt is None else self.learnt | now
        values = {
            "corrupted_ever_learnt": self.learnt,
            "corrupted_forgotten": self.learnt & ~now,
        }
        common: Row = {"split": "train", "attack": "none", "n": len(now)}
        return [
            common | {"metric": name, "value": value.double().mean().item()}
            for name, value in values.items()
        ]


def _accuracies(
    predicted: Tensor, train: Split, redrawn: Tensor, attack: str
) -> list[Row]:
    """Return a row a portion and kind of labels, of the first (n,) images predicted."""
    n = len(predicted)
    portions = {"untouched": ~redrawn[:n], "corrupted": redrawn[:n]}
    rows: list[Row] = []
    for portion, chosen in portions.items():
        for labels, y in (("given", train.y[:n]), ("true", train.true[:n])):
            hits = (predicted == y)[chosen].double()
            if len(hits):
                rows.append(
                    {
                        "split": "train",
                        "attack": attack,
                        "metric": "portion_accuracy",
                        "value": hits.mean().item(),
                        "portion": portion,
                        "labels": labels,
                        "n": len(hits),
                    }
                )
    return rows
