"""An imported network as a run's folder: spec, where it is from, one checkpoint.

No epochs are invented: the folder has no rows until the network is evaluated.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rofit.errors import UserError
from rofit.interop.checkpoints.layouts import Layout
from rofit.interop.checkpoints.selfcheck import Check
from rofit.settings.knobs import knob_types
from rofit.settings.spec import RunSpec
from rofit.store.environment import environment
from rofit.store.runs import RunFolder, RunStore
from rofit.store.source import Source
from rofit.training import checkpoint

# Fields that an imported run has; a file does not say the others.
_KNOWN = (
    "method dataset dataset_digest test_size model width blocks activation form "
    "normalise"
).split()
_LONGEST_RUN = 1_000_000  # epochs
_CHUNK = 2**20


@dataclass(frozen=True)
class Origin:
    """What the file was.

    Attributes:
        layout: whose.
        weights: path of the network in it.
        others: paths of the networks that were left there.
        unused: how many tensors no forward pass uses.
        facts: numbers that it says of itself.
        check: what was measured.
    """

    layout: Layout
    weights: str
    others: tuple[str, ...]
    unused: int
    facts: dict[str, float]
    check: Check


@dataclass(frozen=True)
class Imported:
    """A checkpoint that is a run now.

    Attributes:
        folder: of the run.
        file: its checkpoint there, best.pt or last.pt.
        spec: of the run.
        origin: what it was.
        tensors: how many it has.
    """

    folder: RunFolder
    file: Path
    spec: RunSpec
    origin: Origin
    tensors: int


def store_run(
    store: RunStore, path: Path, spec: RunSpec, state: dict[str, Tensor], origin: Origin
) -> Imported:
    """Write the run of an imported network; nothing where it is there already.

    Args:
        store: where to.
        path: the file that it is from; its digest is in the run's name.
        spec: of the run.
        state: of the network, by rofit's names.
        origin: what the file was.

    Raises:
        UserError: the run is there, of other choices or with other weights.
    """
    sha256 = _sha256(path)
    folder = store.folder(f"{spec.method}-{spec.dataset}-{sha256[:8]}")
    unknown = tuple(key for key in knob_types(RunSpec) if key not in _KNOWN)
    source = Source("checkpoint", origin.layout.name, path.name, sha256, unknown)
    name = folder.path.name
    described = {"run_id": name, "family_id": name} | spec.as_dict()
    with folder.opened(described | {"source": source.as_dict()}):
        is_best = "best" in f"{path.stem} {origin.weights}".lower()
        file = folder.checkpoints / (checkpoint.BEST if is_best else checkpoint.LAST)
        saved = {"spec": spec.as_dict(), "model": state, "epoch": _epoch(origin.facts)}
        if not file.exists():
            folder.note_environment(environment("not told", 0))
            checkpoint.save(saved, file)
            folder.event("import", **_described(origin))
            folder.finish({"epochs": saved["epoch"]})
        elif not _same(checkpoint.load(file, torch.device("cpu")), state):
            raise UserError(
                f"{file} holds other weights of {path.name}; --name names another run"
            )
    return Imported(folder, file, spec, origin, len(state))


def _described(origin: Origin) -> dict[str, Any]:
    """Return what the event of an import says, as JSON."""
    check = origin.check
    return {
        "weights": origin.weights,
        "others": list(origin.others),
        "unused_tensors": origin.unused,
        "normalise": str(check.normaliser),
        "facts": origin.facts,
        "clean_accuracy": check.accuracy[check.normaliser],
        "images": check.n,
        "remarks": check.remarks,
    }


def _same(saved: dict[str, Any] | None, state: dict[str, Tensor]) -> bool:
    model = {} if saved is None else saved.get("model", {})
    return model.keys() == state.keys() and all(
        torch.equal(model[key], value) for key, value in state.items()
    )


def _epoch(facts: dict[str, float]) -> int:
    """Return the epoch that a file says it is of, 0 where it says none."""
    epoch = facts.get("epoch", 0)
    return int(epoch) if 0 <= epoch <= _LONGEST_RUN else 0


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
