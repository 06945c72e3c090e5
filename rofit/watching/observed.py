"""The network of a watched training, and what diagnostics are given of it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from rofit.adapters.inputs import Inputs
from rofit.adapters.labelled import check_classes
from rofit.adapters.networks import (
    LogitsAt,
    as_measured,
    first_logits,
    frozen,
    unwrapped,
)
from rofit.diagnostics.monitor import unchanged
from rofit.diagnostics.view import EpochView, Split
from rofit.settings.spec import RunSpec
from rofit.training.curves import LearningCurves
from rofit.watching.images import UnitImages


class Observed:
    """A network that is trained outside of rofit, with the images it is measured on.

    Attributes:
        outer: the network as it was given.
        model: the same without wrappers, whose weights they are.
        n_classes: K of its logits.
        initial: the weights that training began from, as they are measured.
    """

    def __init__(
        self,
        outer: nn.Module,
        spec: RunSpec,
        images: dict[str, UnitImages],
        true: Tensor,
        curves: LearningCurves,
        *,
        inputs: Inputs,
        logits: LogitsAt,
    ) -> None:
        """Run the network on two images, and hold the classes against its logits."""
        self.outer, self.model, self.spec = outer, unwrapped(outer), spec
        self.curves, self.inputs, self.logits_at = curves, inputs, logits
        truth = {name: split.y for name, split in images.items()} | {"train": true}
        self.splits = {
            name: Split(lambda n, split=split: split.unit()[:n], split.y, truth[name])  # type: ignore[misc]
            for name, split in images.items()
        }
        with self.measured() as (measured, network):
            self.n_classes = first_logits(network, images["train"].unit()[:2]).shape[1]
            weights = measured.named_parameters()
            self.initial = {name: p.detach().clone() for name, p in weights}
        for name, split in self.splits.items():
            check_classes(split.y, self.n_classes, f"the {name} images")
        check_classes(true, self.n_classes, "the true labels")

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.model.parameters()).device

    @contextmanager
    def measured(self) -> Iterator[tuple[nn.Module, nn.Module]]:
        """Yield the network as diagnostics take it, and its frozen copy.

        Made anew each time: a loop may replace weights and buffers by others.
        """
        with (
            torch.inference_mode(False),
            torch.autocast(self.device.type, enabled=False),
            unchanged(self.outer),  # such a network may draw in eval mode too
        ):
            measured = as_measured(self.model, self.inputs, self.logits_at)
            yield measured, frozen(measured)

    def view(
        self,
        measured: nn.Module,
        network: nn.Module,
        *,
        epoch: int,
        soft: Tensor | None,
    ) -> EpochView:
        """Return what diagnostics measure; *soft* (N, K) if labels are not one-hot."""
        given, true = self.splits["train"].y, self.splits["train"].true

        def labels(index: Tensor) -> Tensor:
            if soft is not None:
                return soft[index]
            return nn.functional.one_hot(given[index], self.n_classes).float()

        return EpochView(
            spec=self.spec,
            epoch=epoch,
            model=measured,
            network=network,
            attack=self.curves.evaluated_with,
            splits=self.splits,
            redrawn=given != true,
            labels=labels,
            initial=self.initial,
            logits_at_hand=dict(self.curves.logits),
        )
