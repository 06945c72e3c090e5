"""AutoAttack through rofit beside pyautoattack called plainly, on one network."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch

from rofit.attacks.geometry import into_ball
from rofit.bench.timing import interleaved
from rofit.evaluation import verdicts
from rofit.evaluation.accuracy import CHUNK
from rofit.evaluation.autoattack import NORMS
from rofit.evaluation.cases import Case
from rofit.evaluation.stages import make_stages
from rofit.evaluation.wrappers import fill_limit
from rofit.running.checkpoints import LoadedCheckpoint

Row = dict[str, Any]


def library_rows(subject: LoadedCheckpoint, *, n: int, rounds: int) -> list[Row]:
    """Return seconds, images a second and verdicts of both ways, in turn.

    Through rofit: as `rofit eval` does, batches filled up on a GPU included.
    Plainly: the network as a script has it, in eval mode, its parameters requiring
    gradients, in torch's default layout; AutoAttack standard in batches of the same
    size. Starts differ, so verdicts may in a few images.
    """
    images = subject.images.first(n)
    device = images.x.device
    spec = subject.spec
    case = Case("autoattack", 0, 1, spec.norm, spec.epsilon, 0.0, len(images.y))
    chunk = CHUNK[device.type]
    stages = make_stages(
        case,
        subject.network,
        n_classes=subject.n_classes,
        filled_to=fill_limit(chunk, device),
    )
    plain = deepcopy(subject.network).requires_grad_(True)
    plain = plain.to(memory_format=torch.contiguous_format)
    robust: dict[str, torch.Tensor] = {}

    def through_rofit() -> None:
        table = verdicts.unattacked(images)
        verdicts.run_stages(
            stages,
            subject.network,
            case.threat,
            images,
            table,
            chunk=chunk,
            after=lambda *_: False,
        )
        robust["rofit"] = torch.tensor((table["fooled_by"] == "").tolist())

    def plainly() -> None:
        from pyautoattack import AutoAttack

        kit = AutoAttack(
            plain, norm=NORMS[case.norm], eps=case.epsilon, seed=0, device=device
        )
        x_adv, _ = kit.run_standard_evaluation(
            images.x.contiguous(), images.y, batch_size=chunk
        )
        with torch.no_grad():
            logits = subject.network(into_ball(case.threat, images.x, x_adv))
        robust["pyautoattack"] = (logits.argmax(dim=1) == images.y).cpu()

    ways: dict[str, Callable[[], object]] = {
        "rofit": through_rofit,
        "pyautoattack": plainly,
    }
    with torch.random.fork_rng():
        times = interleaved(ways, rounds=rounds, device=device)
    same = int((robust["rofit"] == robust["pyautoattack"]).sum())
    return [
        {
            "network": f"{spec.run_id}, {subject.name}",
            "way": name,
            "seconds": round(timing.median, 2),
            "images/s": round(len(images.y) / timing.median, 3),
            "x as fast as plainly": round(
                timing.times_faster(times["pyautoattack"]), 2
            ),
            "spread %": round(100 * timing.spread, 1),
            "robust %": round(100 * float(robust[name].float().mean()), 2),
            "same verdicts": f"{same}/{len(images.y)}",
        }
        for name, timing in times.items()
    ]
