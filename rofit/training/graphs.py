"""Training steps as CUDA graphs: some 600 launches become one.

A graph repeats the kernels of the step that was captured, on the memory that they had;
Python does not run again. So a step can be captured if all that it remembers is kept in
tensors that are changed in place, and one captured step serves as long as the plain
values that it read (whether a label rule is at work, say) are the same.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rofit.attacks.captured import WARM_UP, Record, aside, record
from rofit.training.batches import Batch

if TYPE_CHECKING:
    from rofit.methods import Method

Terms = dict[str, Tensor]
Step = Callable[[Batch, Tensor], Terms]


class _Graph:
    """One captured step: where its inputs lie, its terms, and what repeats it."""

    def __init__(self, step: Step, batch: Batch, start: Tensor, record: Record) -> None:
        self.batch = Batch(
            batch.step, batch.index.clone(), batch.x.clone(), batch.y.clone()
        )
        self.start = start.clone()
        self.names: list[str] = []

        def terms() -> Tensor:
            made = step(self.batch, self.start)
            self.names = list(made)
            return torch.stack(list(made.values()))

        self.terms, self.replay = record(terms)

    def __call__(self, batch: Batch, start: Tensor) -> Terms:
        self.batch.index.copy_(batch.index)
        self.batch.x.copy_(batch.x)
        self.batch.y.copy_(batch.y)
        self.start.copy_(start)
        self.replay()
        return dict(zip(self.names, self.terms.clone().unbind(), strict=True))


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
        aside: Callable[[Callable[[], Terms]], Terms] = aside,
    ) -> None:
        """Take the method, and how calls are captured and made before a capture."""
        self.method, self.record, self.aside = method, record, aside
        self.why_not = ""
        self.state: tuple[Any, ...] = ()
        self.graphs: dict[torch.Size, _Graph] = {}
        self.made: dict[torch.Size, int] = {}

    def __call__(self, step: Step, batch: Batch, start: Tensor) -> Terms:
        """Make one step of the training; return the terms of its loss."""
        if self.why_not:
            return step(batch, start)
        shape, before = batch.x.shape, plain_values(self.method)
        if before != self.state:
            self.graphs, self.made, self.state = {}, {}, before
        if shape in self.graphs:
            return self.graphs[shape](batch, start)
        made = self.made.get(shape, 0)
        if made == WARM_UP:
            self.graphs[shape] = _Graph(step, batch, start, self.record)
            return self.graphs[shape](batch, start)
        terms = self.aside(lambda: step(batch, start))
        self.made[shape] = made + 1
        if plain_values(self.method) != before:
            changed = _changed(before, plain_values(self.method))
            self.why_not = (
                f"a step is not captured as a CUDA graph: it changes {changed}, which "
                "must be kept in a tensor and changed in place"
            )
        return terms


def plain_values(method: "Method") -> tuple[tuple[str, Any], ...]:
    """Return what a method's parts remember outside of tensors, by name.

    Numbers, words and switches by their value; tensors by which they are. Networks are
    left out: they change in place.
    """
    parts = {
        "labels": method.labels,
        "perturbation": method.perturbation,
        "average": method.average,
    }
    return tuple(line for name, part in parts.items() for line in _values(name, part))


def _values(name: str, value: Any) -> list[tuple[str, Any]]:
    if value is None or isinstance(value, (bool, int, float, str)):
        return [(name, value)]
    if isinstance(value, Tensor):
        return [(name, id(value))]
    if isinstance(value, nn.Module) or callable(value):
        return []
    if isinstance(value, dict):
        inside = {str(key): part for key, part in value.items()}
    elif isinstance(value, (list, tuple)):
        inside = {str(place): part for place, part in enumerate(value)}
    else:
        inside = vars(value) if hasattr(value, "__dict__") else {}
    return [
        line for key, part in inside.items() for line in _values(f"{name}.{key}", part)
    ]


def _changed(before: tuple[Any, ...], after: tuple[Any, ...]) -> str:
    """Return the name of the first value that is not what it was."""
    return str(next(name for name, _ in set(after) ^ set(before)))
