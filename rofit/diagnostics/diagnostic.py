"""What a diagnostic is: of every training step, or of an epoch's end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from rofit.diagnostics.view import EpochView

Row = dict[str, Any]


class Column(NamedTuple):
    """What a metric means: its unit or range, and a sentence."""

    unit: str
    description: str


class StepView(NamedTuple):
    """What a diagnostic may read after the backward pass of a training step.

    The parameters hold the gradients of ``loss``; nothing has been stepped yet.
    """

    model: nn.Module
    logits: Tensor
    y: Tensor
    soft: Tensor
    loss: Tensor


class StepDiagnostic(Protocol):
    """Measured after every backward pass, logged as the mean over the epoch's steps."""

    columns: ClassVar[dict[str, Column]]
    cost: ClassVar[str]

    def measure(self, view: StepView) -> dict[str, Tensor]:
        """Return a scalar tensor for each column, without changing the view."""


@dataclass(frozen=True)
class Schedule:
    """The epochs of a run after which something is measured, the last among them.

    Attributes:
        times: measurements spread evenly over the run's evaluated epochs; 0 for all.
    """

    times: int = 0

    def due(self, epoch: int, evaluated: Sequence[int]) -> bool:
        """Return whether to measure after *epoch* (from 1).

        Args:
            epoch: whole epochs done.
            evaluated: the run's evaluated epochs (`RunSpec.evaluated_epochs`).

        Examples:
            >>> [e for e in range(1, 11) if Schedule(4).due(e, range(1, 11))]
            [2, 5, 8, 10]
        """
        n = len(evaluated)
        if not self.times or self.times >= n:
            return epoch in evaluated
        return epoch in {
            evaluated[round(k * n / self.times) - 1] for k in range(1, self.times + 1)
        }


class Measured(NamedTuple):
    """The measurements at an epoch's end.

    Attributes:
        rows: ``split, attack, metric, value`` and what else identifies a number.
        samples: columns of one length, a row an example; empty for none.
    """

    rows: list[Row]
    samples: dict[str, Tensor] = {}  # noqa: RUF012  never changed


class EpochDiagnostic:
    """Measured after the epochs of its schedule; a subclass states all of this.

    Attributes:
        columns: metric -> unit and meaning.
        cost: what a measurement takes, a phrase.
        when: the epochs.
    """

    columns: ClassVar[dict[str, Column]]
    cost: ClassVar[str]
    when: ClassVar[Schedule]

    def why_not(self, view: EpochView) -> str:
        """Return why it cannot be measured in this run, or nothing."""
        return ""

    def measure(self, view: EpochView) -> Measured:
        """Return rows and samples, without changing the view."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must keep."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""


def as_sample(values: list[float]) -> Tensor:
    """Return numbers as a column of samples."""
    return torch.tensor(values, dtype=torch.float64)
