"""The monitor: runs diagnostics, collects rows, and lets none change the training."""

import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from rofit.diagnostics.diagnostic import (
    EpochDiagnostic,
    Row,
    StepDiagnostic,
    StepView,
)
from rofit.diagnostics.view import EpochView
from rofit.errors import Remark, UserError

Diagnostic = StepDiagnostic | EpochDiagnostic


class Monitor:
    """Runs diagnostics at every step and at epochs' ends.

    Attributes:
        diagnostics: by name.
        seconds: wall time that each has taken in this process.
    """

    def __init__(
        self, diagnostics: dict[str, Diagnostic], *, lenient: bool = False
    ) -> None:
        """Take the diagnostics to run, by name.

        A *lenient* monitor warns of one of epochs that fails, and leaves it out.
        """
        self.diagnostics = diagnostics
        self.lenient = lenient
        self.of_epochs = {
            n: d for n, d in diagnostics.items() if isinstance(d, EpochDiagnostic)
        }
        self.of_steps: dict[str, StepDiagnostic] = {
            n: d for n, d in diagnostics.items() if not isinstance(d, EpochDiagnostic)
        }
        self.sums: dict[str, Tensor] = {}
        self.steps: Tensor | None = None  # how many are in the sums
        self.seconds: dict[str, float] = dict.fromkeys(diagnostics, 0.0)

    def record_step(
        self, model: nn.Module, logits: Tensor, y: Tensor, soft: Tensor, loss: Tensor
    ) -> None:
        """Add this step's measurements; the sums stay on the device, unread.

        They change in place: a captured step adds to them without Python.
        """
        if self.steps is None:
            self.steps = torch.zeros((), dtype=torch.int64, device=loss.device)
        self.steps += 1
        view = StepView(model, logits, y, soft, loss)
        for name, diagnostic in self.of_steps.items():
            with self._timed(name), torch.no_grad():
                measured = diagnostic.measure(view)
            for metric, value in measured.items():
                if metric not in self.sums:
                    self.sums[metric] = torch.zeros_like(value, dtype=torch.float64)
                self.sums[metric] += value.double()

    def rows(self) -> list[Row]:
        """Return one row a metric, the mean over the epoch's steps, and begin anew."""
        if not (steps := self._n_steps()):
            return []
        rows = [
            {"split": "train", "metric": metric, "value": total.item() / steps}
            for metric, total in self.sums.items()
        ]
        for total in self.sums.values():
            total.zero_()
        self.steps = None if self.steps is None else self.steps.zero_()
        return rows

    def require(self, names: Iterable[str], view: EpochView) -> None:
        """Raise UserError for the first diagnostic that cannot be measured, and why."""
        for name in names:
            if name in self.of_epochs and (why := self.of_epochs[name].why_not(view)):
                raise UserError(f"{name} cannot be measured: {why}")

    def measure_epoch(
        self, view: EpochView
    ) -> tuple[list[Row], dict[str, dict[str, Tensor]]]:
        """Run the diagnostics that are due; return rows, and samples by diagnostic."""
        rows: list[Row] = []
        samples: dict[str, dict[str, Tensor]] = {}
        for name, diagnostic in list(self.of_epochs.items()):
            due = diagnostic.when.due(view.epoch, view.spec.evaluated_epochs)
            if not due or diagnostic.why_not(view):
                continue
            try:
                with self._timed(name), unchanged(view.model):
                    measured = diagnostic.measure(view)
            except Exception as error:  # networks that are not ours do anything
                if not self.lenient:
                    raise
                why = f"{type(error).__name__}: {error}".splitlines()[0]
                warnings.warn(
                    f"{name} is left out from here on: {why}",
                    category=Remark,
                    stacklevel=2,
                )
                del self.of_epochs[name]
                continue
            rows += measured.rows
            if measured.samples:
                samples[name] = measured.samples
        return rows, samples

    def state_dict(self) -> dict[str, Any]:
        """Return the sums of the unfinished epoch, and what diagnostics remember."""
        states = {name: d.state_dict() for name, d in self.of_epochs.items()}
        return {"sums": self.sums, "steps": self._n_steps(), "epochs": states}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them; a diagnostic without a saved state starts from scratch."""
        self.sums = dict(state["sums"])
        device = next((total.device for total in self.sums.values()), None)
        self.steps = torch.tensor(state["steps"], device=device)
        for name, saved in state.get("epochs", {}).items():
            if name in self.of_epochs:
                self.of_epochs[name].load_state_dict(saved)

    def _n_steps(self) -> int:
        return 0 if self.steps is None else int(self.steps)

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - begun


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Run the block, then put back modes, buffers, gradients and random streams.

    Gradients are taken away for the block: it finds none, and may make its own.
    """
    modes = [(module, module.training) for module in model.modules()]
    buffers = {name: b.clone() for name, b in model.named_buffers()}
    parameters = [(p, p.grad, p.requires_grad) for p in model.parameters()]
    for parameter, _, _ in parameters:
        parameter.grad = None
    cuda = [p.device for p, _, _ in parameters[:1] if p.is_cuda]
    try:
        with torch.random.fork_rng(devices=cuda), torch.enable_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                buffer.copy_(buffers[name])
        for parameter, grad, requires in parameters:
            parameter.grad = grad
            parameter.requires_grad_(requires)
