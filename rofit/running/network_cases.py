"""One attack on a network in memory: its row, its images, its checks."""

import time
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from torch import Tensor, nn

from rofit.evaluation import adversarial, masking, verdicts
from rofit.evaluation.cases import Case
from rofit.evaluation.stages import left_out, make_stages
from rofit.evaluation.verdicts import EvaluationImages
from rofit.evaluation.wrappers import fill_limit
from rofit.progress import meters
from rofit.running.checks import compare, survivors
from rofit.settings.threat import ThreatModel


def evaluate_case(
    case: Case,
    network: nn.Module,
    images: EvaluationImages,
    source: nn.Module | None,
    n_classes: int,
    *,
    chunk: int,
    console: Console | None,
    kept: bool,
    eight_bit: bool,
) -> dict[str, Any]:
    """Return the row of one case; ``saved`` has its adversarial images, if *kept*."""
    stages = make_stages(
        case,
        network,
        n_classes=n_classes,
        source=source,
        filled_to=fill_limit(chunk, images.x.device),
    )
    candidates = adversarial.Candidates(case.threat, images.x) if kept else None
    if candidates:
        stages = [candidates.kept(stage) for stage in stages]
    table, begun = verdicts.unattacked(images), time.monotonic()
    with meters(console, "")(f"{case.attack} {case.threat}", len(stages)) as meter:

        def after(table: pd.DataFrame, stage: verdicts.Stage, n: int) -> bool:
            left = len(stages) - stages.index(stage)
            meter.show(left, f"{verdicts.robust_accuracy(table):.1%}")
            return False

        verdicts.run_stages(
            stages, network, case.threat, images, table, chunk=chunk, after=after
        )
    row = case.as_dict() | {
        "attack": case.attack,
        "accuracy": verdicts.robust_accuracy(table),
        "after": verdicts.accuracy_after(table, stages),
        "seconds": round(time.monotonic() - begun, 2),
        "fooled_by": table["fooled_by"],
    }
    row |= left_out(case, n_classes)
    if candidates:
        row |= _saved(case, network, images, candidates.x_adv, chunk, eight_bit)
    return row


def _saved(
    case: Case,
    network: nn.Module,
    images: EvaluationImages,
    x_adv: Tensor,
    chunk: int,
    eight_bit: bool,
) -> dict[str, Any]:
    """Return what the file has of a case, and what the network predicts of that."""
    if eight_bit:
        x_adv = adversarial.rounded(case.threat, images.x, x_adv)
    with torch.no_grad():
        predicted = torch.cat(
            [network(part).argmax(dim=1) for part in x_adv.split(chunk)]
        )
    pixels = x_adv.cpu().numpy().astype(np.float32)
    if eight_bit:
        pixels = np.rint(255 * pixels).astype(np.uint8)
    saved = {
        "attack": case.attack,
        "norm": case.norm,
        "epsilon": case.epsilon,
        "index": np.array(images.index),
        "y": images.y.cpu().numpy(),
        "predicted": predicted.cpu().numpy(),
        "x_adv": pixels,
    }
    right = (predicted == images.y).double().mean().item()
    return {"saved": saved, "accuracy_saved": right}


def checks_of(
    network: nn.Module,
    images: EvaluationImages,
    threat: ThreatModel,
    rows: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return the report of all checks at one threat model."""
    robust: dict[str, Tensor] = {}
    for row in rows:
        if not row["epsilon"] or (row["norm"], row["epsilon"]) == (
            threat.norm,
            threat.epsilon,
        ):
            robust |= survivors(row["kind"], row["attack"], row["fooled_by"])
    _, report = compare(masking.probe(network, images, threat), robust)
    return {"norm": threat.norm, "epsilon": threat.epsilon} | report
