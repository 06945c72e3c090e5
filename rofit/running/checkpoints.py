"""A network under evaluation: a checkpoint's weights and the test images of its run."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rofit.data.unit import to_unit
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
class StoredCheckpoint(Checkpoint):
    """What a checkpoint file holds of a network; no images are needed to read it.

    Attributes:
        spec: its run.
        weights: its state dict, finite, on one device.
        step: steps of the next epoch that they were trained for as well.
    """

    spec: RunSpec
    weights: dict[str, Tensor]
    step: int


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


BEST_AND_LAST = ("best", "last")
_REQUIRED_KEYS = {"spec": dict, "model": dict, "epoch": int}


def checkpoint_files(
    store: RunStore, run: str | Path, checkpoints: Iterable[str]
) -> list[Path]:
    """Return the checkpoint files that *run*, a run or a file, stands for.

    Those named, else the usual ones of a run.

    Raises:
        UserError: no such run, or several; a checkpoint that leads out of its folder.
    """
    if is_file(run):
        return [Path(run)]
    folder = store.find(str(run))
    checkpoints = list(checkpoints) or usual_checkpoints(folder)
    for name in checkpoints:
        check_name("--checkpoint", name)
    return [folder.checkpoints / f"{name}.pt" for name in checkpoints]


def usual_checkpoints(folder: RunFolder) -> list[str]:
    """Return best and last, or the one that an imported run has of them."""
    if folder.source is None:
        return [*BEST_AND_LAST]
    there = (folder.checkpoints / f"{name}.pt" for name in BEST_AND_LAST)
    return [path.stem for path in there if path.exists()] or [*BEST_AND_LAST]


def is_file(run: str | Path) -> bool:
    """Return whether a checkpoint file is meant, and no run."""
    return Path(run).is_file() or str(run).endswith(".pt")


def is_ours(path: Path) -> bool:
    """Return whether a checkpoint file has the keys of one of rofit's own."""
    state = checkpoint.load(path, torch.device("cpu"))
    return isinstance(state, dict) and _REQUIRED_KEYS.keys() <= state.keys()


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
    state = _read(path, device)
    if "reading" in state:
        spec = RunSpec.from_dict(state["spec"])
        require_finite(state["model"], path)
        rebuilt = rebuild(path, state, build, device)
        name = _name(path, spec, rebuilt.digest)
        return LoadedCheckpoint(name, state["epoch"], spec=spec, **vars(rebuilt))
    stored = _stored(path, state)
    spec = stored.spec
    images = load_data(spec, data)
    model = initial_model(spec, images).to(device)
    fill(model, stored, path)
    splits = split_of(spec, images)
    return LoadedCheckpoint(
        stored.name,
        stored.epoch,
        stored.digest,
        spec,
        Engine(model, "fp32").frozen,
        EvaluationImages(
            to_unit(torch.from_numpy(splits.test.pixels).to(device)),
            torch.from_numpy(splits.test.labels).to(device),
            splits.test_index.tolist(),
        ),
        images.n_classes,
    )


def read_checkpoint(path: Path, device: torch.device) -> StoredCheckpoint:
    """Return what a checkpoint file holds.

    Raises:
        UserError: there is no checkpoint, it cannot be read, it lies in another run's
            folder, or its weights are not finite.
    """
    return _stored(path, _read(path, device))


def _read(path: Path, device: torch.device) -> dict[str, Any]:
    """Return the state in a file, which has what every checkpoint has."""
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
    return state


def _stored(path: Path, state: dict[str, Any]) -> StoredCheckpoint:
    spec, weights = RunSpec.from_dict(state["spec"]), state["model"]
    digest = _digest(weights)
    name = _name(path, spec, digest)
    require_finite(weights, path)
    epoch, step = state["epoch"], state.get("step", 0)
    return StoredCheckpoint(name, epoch, digest, spec, weights, step)


def fill(model: nn.Module, stored: StoredCheckpoint, path: Path) -> None:
    """Copy the weights of the checkpoint *path* into the network that its spec names.

    Raises:
        UserError: they do not fit.
    """
    try:
        model.load_state_dict(stored.weights)
    except RuntimeError as error:
        n_classes = model.get_submodule("classifier").out_features
        reasons = str(error).splitlines()[1:2] or [str(error)]
        raise UserError(
            f"the weights in {path} do not fit {stored.spec.model} with {n_classes} "
            f"classes, which its spec names: {reasons[0].strip()}"
        ) from None


def _name(path: Path, spec: RunSpec, digest: str) -> str:
    """Return what the checkpoint is called in its run's folder.

    Raises:
        UserError: the file lies in the folder of another run.
    """
    folder = path.resolve().parent.parent
    if path.resolve().parent.name == "checkpoints" and (folder / "spec.json").exists():
        run = RunFolder(folder)
        owner = (run.spec if run.source else resolve(run.spec)).run_id
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


def _digest(weights: dict[str, Tensor]) -> str:
    """Return a name of the weights: the same for the same numbers."""
    hashed = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].detach().cpu().contiguous()
        hashed.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        hashed.update(value.numpy().tobytes())
    return hashed.hexdigest()[:16]
