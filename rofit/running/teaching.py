"""Networks that a run learns from: runs of their own, from the same store."""

from pathlib import Path

import torch

from rofit.data.images import Dataset
from rofit.errors import UserError
from rofit.methods.resolve import teachers
from rofit.precision import CONVOLUTIONS, PrecisionCopy
from rofit.running.checkpoints import require_finite
from rofit.running.components import initial_model
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunFolder, RunStore
from rofit.training import checkpoint


def checkpoints_of_teachers(spec: RunSpec, folder: RunFolder) -> dict[str, Path]:
    """Return the checkpoints of the run's teachers, by run id in the same store.

    Raises:
        UserError: a teacher's run is not done.
    """
    paths = {}
    for name, (teacher, checkpoint_name) in teachers(spec).items():
        teacher_folder = RunStore(folder.path.parent).folder(teacher.run_id)
        if teacher_folder.state != "done":
            raise UserError(
                f"{spec.method} learns from run {teacher.run_id} ({teacher.method}), "
                f"which is {teacher_folder.state} in {folder.path.parent}; "
                "train it first"
            )
        paths[name] = teacher_folder.checkpoints / f"{checkpoint_name}.pt"
    return paths


def teacher_network(
    spec: RunSpec, data: Dataset, device: torch.device, path: Path | None
) -> torch.nn.Module:
    """Return a network in eval mode and the run's precision, not trained any more."""
    network = initial_model(spec, data).to(device).eval().requires_grad_(False)
    if path is not None:
        state = checkpoint.load(path, device)
        if state is None:
            raise UserError(f"the teacher's checkpoint {path} cannot be read")
        network.load_state_dict(state["model"])
        require_finite(state["model"], path)
    return PrecisionCopy(network, CONVOLUTIONS[spec.precision]).network
