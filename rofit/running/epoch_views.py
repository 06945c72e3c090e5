"""What diagnostics measure at an epoch's end of rofit's own training loop."""

from collections.abc import Callable

import torch

from rofit.diagnostics.view import EpochView, Split
from rofit.training.batches import DeviceImages
from rofit.training.state import Training


def view_maker(
    images: dict[str, DeviceImages],
    *,
    true: torch.Tensor,
    redrawn: torch.Tensor,
    initial: dict[str, torch.Tensor],
) -> Callable[[Training], EpochView]:
    """Return what makes the view of a training for its diagnostics."""
    truth = {name: split.y for name, split in images.items()} | {"train": true}
    splits = {
        name: Split(lambda n, split=split: split.first(n).unit(), split.y, truth[name])  # type: ignore[misc]
        for name, split in images.items()
    }

    def view(training: Training) -> EpochView:
        labels, y = training.method.labels, training.train.y
        return EpochView(
            spec=training.spec,
            epoch=training.epoch,
            model=training.evaluated,
            network=training.engine.evaluated,
            attack=training.curves.evaluated_with,
            splits=splits,
            redrawn=redrawn,
            labels=lambda index: labels.unmixed(index, y[index]),
            initial=initial,
            logits_at_hand=dict(training.curves.logits),
        )

    return view
