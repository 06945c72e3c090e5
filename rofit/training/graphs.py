"""Training steps as CUDA graphs: some 1,700 operations of the device become one.

A graph repeats the kernels of the step that was captured, on the memory that they had;
Python does not run again. So a step can be captured if all that it remembers is kept in
tensors that are changed in place, and one captured step serves as long as the plain
values that it read (whether a label rule is active, say) are the same.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rofit.attacks.captured import WARM_UP, Captured, Record, on_side_stream, record
from rofit.training.batches import Batch

if TYPE_CHECKING:
    from rofit.methods import Method

Terms = dict[str, Tensor]
Step = Callable[[Batch, Tensor], Terms]


class _Graph:
    """One captured step, and the names of its terms."""

    def __init__(self, step: Step, batch: Batch, start: Tensor, record: Record) -> None:
        self.names: list[str] = []

        def terms(index: Tensor, x: Tensor, y: Tensor, start: Tensor) -> Tensor:
            step_terms = step(Batch(batch.step, index, x, y), start)
            self.names = list(step_terms)
            return torch.stack(list(step_terms.values()))

        inputs = (batch.index, batch.x, batch.y, start)
        self.captured = Captured(terms, inputs, warm_up=0, record=record)

    def __call__(self, batch: Batch, start: Tensor) -> Terms:
        terms = self.captured((batch.index, batch.x, batch.y, start))
        return dict(zip(self.names, terms.unbind(), strict=True))


class StepGraphs:
    """Makes steps: the first of a kind as they are, the others by replaying a graph.

    A kind is a shape of the batch and the method's plain values. The first steps warm
    up what a capture needs, and are steps of the training like any other.

    Attributes:
        why_not: why steps of this method are not captured, or nothing.
    """

    def __init__(
        self,
        method: "Method",
        *,
        record: Record = record,
        on_side_stream: Callable[[Callable[[], Terms]], Terms] = on_side_stream,
    ) -> None:
        """Take the method, and how calls are captured and made before a capture."""
        self.method, self.record = method, record
        self.on_side_stream = on_side_stream
        self.why_not = ""
        self.state: tuple[Any, ...] = ()
        self.graphs: dict[torch.Size, _Graph] = {}
        self.warm_ups: dict[torch.Size, int] = {}

    def __call__(self, step: Step, batch: Batch, start: Tensor) -> Terms:
        """Make one step of the training; return the terms of its loss."""
        if self.why_not:
            return step(batch, start)
        shape, before = batch.x.shape, plain_values(self.method)
        if before != self.state:
            self.graphs, self.warm_ups, self.state = {}, {}, before
        if shape in self.graphs:
            return self.graphs[shape](batch, start)
        warm_ups = self.warm_ups.get(shape, 0)
        if warm_ups == WARM_UP:
            self.graphs[shape] = _Graph(step, batch, start, self.record)
            return self.graphs[shape](batch, start)
        terms = self.on_side_stream(lambda: step(batch, start))
        self.warm_ups[shape] = warm_ups + 1
        after = plain_values(self.method)
        if after != before:
            self.why_not = (
                "a step is not captured as a CUDA graph: it changes "
                f"{_changed(before, after)}, which must be kept in a tensor and "
                "changed in place"
            )
        return terms


def plain_values(method: "Method") -> tuple[tuple[str, Any], ...]:
    """Return what a method's parts remember outside of tensors, by name.

    Numbers, words and switches by their value; tensors by which they are. Networks are
    left out: they change in place.
    """
    parts = {
        "labels": method.labels,
        "inner": method.inner,
        "perturbation": method.perturbation,
        "average": method.average,
    }
    return tuple(item for name, part in parts.items() for item in _values(name, part))


def _values(name: str, value: Any) -> list[tuple[str, Any]]:
    if value is None or isinstance(value, (bool, int, float, str)):
        return [(name, value)]
    if isinstance(value, Tensor):
        return [(name, id(value))]
    if isinstance(value, nn.Module) or callable(value):
        return []
    if isinstance(value, dict):
        members = {str(key): part for key, part in value.items()}
    elif isinstance(value, (list, tuple)):
        members = {str(i): part for i, part in enumerate(value)}
    else:
        members = vars(value) if hasattr(value, "__dict__") else {}
    return [
        item for key, part in members.items() for item in _values(f"{name}.{key}", part)
    ]


def _changed(before: tuple[Any, ...], after: tuple[Any, ...]) -> str:
    """Return the name of the first value that is not what it was."""
    return str(next(name for name, _ in set(after) ^ set(before)))
