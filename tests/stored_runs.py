"""Runs that were never trained: specs, rows, and a store that holds them."""

from pathlib import Path
from typing import Any

from rofit.settings.spec import RunSpec
from rofit.store.runs import RunFolder, RunStore

SGLS = RunSpec(
    method="sgls",
    method_params=(("attack_labels", "given"), ("start", 0.5)),
    drops=(0.25, 0.5, 0.75),
    blocks=(1, 2),
    seed=3,
)
PGD = RunSpec(epochs=3)
ACCURACY = {"split": "test", "attack": "pgd20", "metric": "accuracy", "n": 64}
NORM = {"split": "train", "metric": "gradient_norm"}
ROWS: list[dict[str, Any]] = [
    {"epoch": 1} | ACCURACY | {"measured": "epoch_end", "value": 0.25},
    {"epoch": 1} | NORM | {"value": 3},
    {"epoch": 2} | ACCURACY | {"measured": "epoch_end", "value": 0.5},
    {"epoch": 2} | NORM | {"value": 2.5},
]


def without_digests(folder: RunFolder) -> RunFolder:
    """Make it a run of a version that had no digests; return its folder."""
    (folder.path / "digests.jsonl").unlink()
    return folder


def stored(root: Path, spec: RunSpec, rows: list[dict[str, Any]]) -> RunFolder:
    """Put a run with these rows into the store; return its folder."""
    folder = RunStore(root).folder(spec.run_id)
    ids = {"run_id": spec.run_id, "family_id": spec.family_id}
    with folder.opened(ids | spec.as_dict()):
        if rows:
            folder.append(rows)
    return folder
