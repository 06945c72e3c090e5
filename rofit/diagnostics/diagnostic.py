"""What a diagnostic is, and the watch that asks them and keeps their answers."""

from typing import Any, ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor, nn


class Column(NamedTuple):
    """What a metric means: its unit or range, and a sentence."""

    unit: str
    about: str


class StepView(NamedTuple):
    """What a diagnostic may look at after the backward pass of a training step.

    The parameters hold the gradients of ``loss``; nothing has been stepped yet.
    """

    model: nn.Module
    logits: Tensor
    y: Tensor
    soft: Tensor
    loss: Tensor


class Diagnostic(Protocol):
    """Measured after every backward pass, logged as the mean over the epoch's steps."""

    columns: ClassVar[dict[str, Column]]
    cost: ClassVar[str]

    def measure(self, view: StepView) -> dict[str, Tensor]:
        """Return a scalar tensor for each column, without changing what is seen."""


class Watch:
    """Asks diagnostics at every step and keeps their sums on the device, unread."""

    def __init__(self, diagnostics: dict[str, Diagnostic]) -> None:
        """Watch with the given diagnostics, by name."""
        self.diagnostics = diagnostics
        self.sums: dict[str, Tensor] = {}
        self.steps = 0

    def see(
        self, model: nn.Module, logits: Tensor, y: Tensor, soft: Tensor, loss: Tensor
    ) -> None:
        """Add this step's measurements."""
        self.steps += 1
        view = StepView(model, logits, y, soft, loss)
        for diagnostic in self.diagnostics.values():
            with torch.no_grad():
                seen = diagnostic.measure(view)
            for metric, value in seen.items():
                before = self.sums.get(metric)
                self.sums[metric] = value.double() + (0.0 if before is None else before)

    def rows(self) -> list[dict[str, Any]]:
        """Return one row a metric, the mean over the epoch's steps, and begin anew."""
        rows = [
            {"split": "train", "metric": metric, "value": total.item() / self.steps}
            for metric, total in self.sums.items()
        ]
        self.sums, self.steps = {}, 0
        return rows

    def state_dict(self) -> dict[str, Any]:
        """Return the sums of the unfinished epoch."""
        return {"sums": self.sums, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take them back."""
        self.sums, self.steps = dict(state["sums"]), state["steps"]
