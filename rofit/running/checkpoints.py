"""A network under evaluation: a checkpoint's weights and the test images of its run."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from rofit.data.augment import to_unit
from rofit.errors import UserError
from rofit.evaluation.verdicts import EvaluationImages
from rofit.methods.resolve import resolve
from rofit.names import check_name
from rofit.running.components import initial_model, load_data, split_of
from rofit.running.watched import Builder, rebuild
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunFolder, RunStore
from rofit.training import checkpoint
from rofit.training.engine import Engine


@dataclass(frozen=True)
class Checkpoint:
    """Which weights of a run are meant.

    Attributes:
        name: of the checkpoint: ``best``, ``last``, ``epoch-0100``; with the weights'
            digest behind it if the file lies outside of its run's folder.
        epoch: whole epochs that they were trained for.
        digest: of their numbers.
    """

    name: str
    epoch: int
    digest: str


@dataclass(frozen=True)
class LoadedCheckpoint(Checkpoint):
    """A trained network under evaluation.

    Attributes:
        spec: its run.
        network: in eval mode, fp32, nothing to be trained.
        images: the run's test images.
        n_classes: of the data set.
    """

    spec: RunSpec
    network: nn.Module
    images: EvaluationImages
    n_classes: int


_REQUIRED_KEYS = {"spec": dict, "model": dict, "epoch": int}


def checkpoint_files(
    store: RunStore, run: str | Path, checkpoints: Iterable[str]
) -> list[Path]:
    """Return the checkpoint files that *run*, a run or a file, stands for.

    Raises:
        UserError: no such run, or several; a checkpoint that leads out of its folder.
    """
    if is_file(run):
        return [Path(run)]
    folder = store.find(str(run))
    checkpoints = list(checkpoints)
    for name in checkpoints:
        check_name("--checkpoint", name)
    return [folder.checkpoints / f"{name}.pt" for name in checkpoints]


def is_file(run: str | Path) -> bool:
    """Return whether a checkpoint file is meant, and no run."""
    return Path(run).is_file() or str(run).endswith(".pt")


def require_file(path: Path) -> None:
    """Raise UserError unless there is a file."""
    if not path.exists():
        raise UserError(f"there is no checkpoint {path}; rofit status lists the runs")


def load_checkpoint(
    path: Path, *, data: Path, device: torch.device, build: Builder | None = None
) -> LoadedCheckpoint:
    """Return the network of a checkpoint with the test images of its run.

    Of a watched run *build* makes both, see `rofit.running.watched`.

    Raises:
        UserError: there is no checkpoint, it cannot be read, it lies in another run's
            folder, or its weights are not finite or do not fit the network or the data
            set that its spec names.
    """
    require_file(path)
    state = checkpoint.load(path, device)
    readable = isinstance(state, dict) and all(
        isinstance(state.get(key), kind) for key, kind in _REQUIRED_KEYS.items()
    )
    if state is None or not readable:
        raise UserError(
            f"{path} cannot be read as a checkpoint of rofit: it is damaged, or of "
            "another program"
        )
    spec = RunSpec.from_dict(state["spec"])
    if "reading" in state:
        require_finite(state["model"], path)
        rebuilt = rebuild(path, state, build, device)
        name = _name(path, spec, rebuilt.digest)
        return LoadedCheckpoint(name, state["epoch"], spec=spec, **vars(rebuilt))
    digest = _digest(state["model"])
    name = _name(path, spec, digest)
    images = load_data(spec, data)
    model = initial_model(spec, images).to(device)
    try:
        model.load_state_dict(state["model"])
    except RuntimeError as error:
        reasons = str(error).splitlines()[1:2] or [str(error)]
        raise UserError(
            f"the weights in {path} do not fit {spec.model} with {images.n_classes} "
            f"classes, which its spec names: {reasons[0].strip()}"
        ) from None
    require_finite(state["model"], path)
    splits = split_of(spec, images)
    return LoadedCheckpoint(
        name,
        state["epoch"],
        digest,
        spec,
        Engine(model, "fp32").frozen,
        EvaluationImages(
            to_unit(torch.from_numpy(splits.test.pixels).to(device)),
            torch.from_numpy(splits.test.labels).to(device),
            splits.test_index.tolist(),
        ),
        images.n_classes,
    )


def _name(path: Path, spec: RunSpec, digest: str) -> str:
    """Return what the checkpoint is called in its run's folder.

    Raises:
        UserError: the file lies in the folder of another run.
    """
    folder = path.resolve().parent.parent
    if path.resolve().parent.name == "checkpoints" and (folder / "spec.json").exists():
        stored = RunFolder(folder)
        owner = (stored.spec if stored.source else resolve(stored.spec)).run_id
        if owner != spec.run_id:
            raise UserError(f"{path} is of run {spec.run_id}, not of {owner}")
        return path.stem
    return f"{path.stem}-{digest[:8]}"


def require_finite(weights: dict[str, Tensor], path: Path) -> None:
    """Raise UserError for the first tensor of a checkpoint that has NaN or infinity."""
    for name, value in weights.items():
        if not value.isfinite().all():
            raise UserError(
                f"the weights in {path} are not finite: {name} holds NaN or infinity; "
                "they are of a training that diverged"
            )


def what_is_kept(folder: RunFolder) -> str:
    """Return what there is to go on with, once its checkpoints are written."""
    names = (checkpoint.LAST, checkpoint.PREVIOUS)
    if any((folder.checkpoints / name).exists() for name in names):
        return "the last checkpoint from before is kept"
    return "no checkpoint was saved before"


def _digest(weights: dict[str, Tensor]) -> str:
    """Return a name of the weights: the same for the same numbers."""
    hashed = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].detach().cpu().contiguous()
        hashed.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        hashed.update(value.numpy().tobytes())
    return hashed.hexdigest()[:16]
