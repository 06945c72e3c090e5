"""Checks for gradient masking of a network under evaluation, made and kept."""

from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from rofit.evaluation import masking
from rofit.evaluation.cases import WITHOUT_DLR, Case, suffix
from rofit.running.checkpoints import Checkpoint, LoadedCheckpoint
from rofit.settings.spec import RunSpec
from rofit.settings.threat import ThreatModel
from rofit.store.evaluations import evaluations, read_verdicts
from rofit.store.files import waiting_for
from rofit.store.runs import RunFolder
from rofit.training.process import prepare
from rofit.writing import writing

_PATIENCE = 3600  # seconds that another shard has to make the checks
# Attacks whose last stage sees no gradient -> what the stages before it are called.
WITHOUT_SQUARE = {
    "autoattack": "autoattack without square",
    WITHOUT_DLR: WITHOUT_DLR.removesuffix("+square"),
}


def checked_threats(spec: RunSpec, cases: Iterable[Case]) -> list[tuple[str, float]]:
    """Return norm and radius of the threat models whose checks are made."""
    usual = (spec.norm, spec.epsilon)
    threats = {(c.norm, c.epsilon) for c in cases if c.kind != "clean"} or {usual}
    return sorted(threats & {usual} or threats)


def check(
    checkpoint: LoadedCheckpoint,
    folder: RunFolder,
    norm: str,
    epsilon: float,
    precision: str = "fp32",
    *,
    shards: int = 1,
) -> dict[str, str]:
    """Return the warnings of all checks for gradient masking, and keep them.

    Probes the network, and compares the finished evaluations of this network in that
    norm and precision: those at *epsilon*, clean ones included, each on its first
    images that all have. Of several *shards*, processes that may end at the same time,
    one after another makes them.
    """
    path = checks_file(checkpoint, folder, norm, epsilon, precision)
    with writing(path):
        path.parent.mkdir(exist_ok=True)
    lock = waiting_for(path.with_suffix(".lock"), _PATIENCE)
    with lock if shards > 1 else nullcontext():
        return _checked(checkpoint, folder, path, ThreatModel(norm, epsilon), precision)


def _checked(
    checkpoint: LoadedCheckpoint,
    folder: RunFolder,
    path: Path,
    threat: ThreatModel,
    precision: str,
) -> dict[str, str]:
    """Make the checks, and write what they have found to *path*."""
    prepare(precision)
    norm, epsilon = threat.norm, threat.epsilon
    warnings = masking.probe(checkpoint.network, checkpoint.images, threat)
    robust: dict[str, Tensor] = {}
    fewest_first = sorted(evaluations(folder), key=lambda result: result["n"])
    for result in fewest_first:  # of two with one attack, the one of more images
        ball = (result["norm"], result["epsilon"])
        comparable = not result["epsilon"] or ball == (norm, epsilon)
        comparable &= result.get("precision", "fp32") == precision
        if result["network"] == checkpoint.digest and comparable:
            fooled_by = read_verdicts(folder, result["name"])["fooled_by"]
            attack = result["attack"].removesuffix(suffix(precision))
            robust |= survivors(result["kind"], attack, fooled_by)
    warnings, compared = compare(warnings, robust)
    report = {
        "checkpoint": checkpoint.name,
        "epoch": checkpoint.epoch,
        "network": checkpoint.digest,
        "norm": norm,
        "epsilon": epsilon,
        **compared,
    }
    folder.write_json(path.relative_to(folder.path).as_posix(), report)
    return warnings


def survivors(kind: str, attack: str, fooled_by: pd.Series) -> dict[str, Tensor]:
    """Return what an attack left, bool (n,), by its name as comparisons know it.

    *fooled_by* names the stage that fooled each image, empty where none did.
    """
    robust = {attack: torch.tensor((fooled_by == "").tolist())}
    if without_square := WITHOUT_SQUARE.get(kind):
        white_box = torch.tensor(fooled_by.isin(["", "square"]).tolist())
        robust |= {without_square: white_box, f"square in {attack}": robust[attack]}
    return robust


def compare(
    probed: dict[str, str], robust: dict[str, Tensor]
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the warnings of probes and comparisons, and the report of them.

    Attacks are compared on the first images that all have.
    """
    shortest = min(map(len, robust.values()), default=0)
    warnings = probed | masking.compare(
        {name: images[:shortest] for name, images in robust.items()}
    )
    return warnings, {
        "compared": sorted(robust),
        "images compared": shortest,
        "warnings": {name: text for name, text in warnings.items() if text},
        "passed": [name for name, text in warnings.items() if not text],
    }


def read_checks(
    checkpoint: Checkpoint,
    folder: RunFolder,
    norm: str,
    epsilon: float,
    precision: str = "fp32",
) -> dict[str, Any] | None:
    """Return what was compared, ``warnings`` (check -> text) and what ``passed``.

    None where the checks were not made.
    """
    path = checks_file(checkpoint, folder, norm, epsilon, precision)
    return folder.read_json(path.relative_to(folder.path).as_posix())


def checks_file(
    checkpoint: Checkpoint,
    folder: RunFolder,
    norm: str,
    epsilon: float,
    precision: str = "fp32",
) -> Path:
    """Return where the checks of a network are kept."""
    key = f"{checkpoint.digest[:8]}-{norm}-{round(epsilon * 255, 3):g}"
    name = f"{checkpoint.name}-checks-{key}{suffix(precision)}.json"
    return folder.path / "evaluations" / name
