"""A run begins, or goes on from its last checkpoint."""

from typing import Any

import pandas as pd
import torch

from rofit.errors import UserError
from rofit.running.components import device_name
from rofit.settings.spec import RunSpec
from rofit.store.environment import changes_since, environment
from rofit.store.rows import require_log
from rofit.store.runs import RunFolder
from rofit.training import checkpoint
from rofit.training.state import Training


def begin(
    training: Training,
    labels: pd.DataFrame,
    folder: RunFolder,
    device: torch.device,
    description: dict[str, Any],
) -> list[str]:
    """Load the newest checkpoint, and drop the rows that are past it.

    Returns:
        Sentences about what was damaged, and what of the code has changed.

    Raises:
        UserError: the checkpoint is another run's, or the log lacks epochs before it.
    """
    description = (
        environment(device_name(device), torch.get_num_threads()) | description
    )
    watched = sorted(training.monitor.diagnostics)
    newest = checkpoint.load_last(folder.checkpoints, device)
    if newest is None:
        folder.keep_epochs_to(0)
        folder.note_environment(description)
        folder.write_sample("labels", labels)
        folder.event("start", diagnostics=watched, environment=description)
        return _unreadable(folder, "the run begins anew")
    state, file = newest
    changed = changes_since(folder, training.spec)
    owner = RunSpec.from_dict(state["spec"]).run_id
    if owner != training.spec.run_id:
        raise UserError(
            f"{folder.checkpoints / file} is of run {owner}, not of this one; "
            "move it away"
        )
    require_log(folder, state["epoch"])
    training.load_state_dict(state)
    folder.keep_epochs_to(training.epoch)
    position = {"epoch": training.epoch, "step": training.step, "file": file}
    folder.event("resume", **position, diagnostics=watched, environment=description)
    remarks = [f"{name} has changed since the run was begun" for name in changed]
    if file != checkpoint.LAST:
        consequence = f"the run goes on from {file}, epoch {training.epoch}"
        remarks += _unreadable(folder, consequence)
    return remarks


def _unreadable(folder: RunFolder, consequence: str) -> list[str]:
    """Return a sentence if there is a last checkpoint, which was not taken."""
    path = folder.checkpoints / checkpoint.LAST
    return [f"{path} is damaged; {consequence}"] if path.exists() else []
