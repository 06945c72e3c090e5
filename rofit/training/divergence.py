"""A training that has diverged: loss or weights are not finite; which, and where."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from rofit.training.state import Training

Terms = dict[str, Tensor]


class Diverged(RuntimeError):
    """Loss, weights or predictions became NaN or infinite; says which and where."""


def check_finite(steps: list[Terms], *, epoch: int, first_step: int) -> None:
    """Raise Diverged for the first term that is NaN or infinite.

    Read once an epoch, so that no step waits for the device. Steps count from 1.
    """
    values = torch.stack(
        [torch.stack(list(step_terms.values())) for step_terms in steps]
    )
    bad = (~values.isfinite()).nonzero().tolist()
    if bad:
        row, column = bad[0]
        name, value = list(steps[row].items())[column]
        raise Diverged(
            f"the loss term {name!r} became {value.item()} in epoch {epoch}, step "
            f"{first_step + row}"
        )


def check_weights(run: "Training") -> None:
    """Raise Diverged for the first weight or statistic that is NaN or infinite.

    The last step's are in no loss yet. Read once an epoch, as the losses are.
    """
    state = run.model.state_dict()
    finite = torch.stack([value.isfinite().all() for value in state.values()])
    if bad := (~finite).nonzero().flatten().tolist():
        raise Diverged(
            f"{list(state)[bad[0]]} became nan or infinite by step {run.step} of epoch "
            f"{run.epoch + 1}"
        )
