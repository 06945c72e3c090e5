"""The stages of an evaluation: what is tried on an image, one after the other.

An image that a stage has fooled is not tried again. Every random start is a function of
(seed, kind of attack, restart, the image's position): verdicts depend neither on the
batch an image is in nor on its neighbours.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from rofit.attacks import geometry
from rofit.attacks.pgd import PGD, Loss
from rofit.evaluation.autoattack import library_stages
from rofit.evaluation.cases import FEWEST, WITHOUT_DLR, Case
from rofit.evaluation.verdicts import Stage
from rofit.losses import cross_entropy, margin
from rofit.seeding import generator
from rofit.settings.threat import ThreatModel

MakePGD = Callable[[ThreatModel, int, float], PGD]


def make_stages(
    case: Case,
    network: nn.Module,
    *,
    n_classes: int,
    make_pgd: MakePGD = PGD,
    source: nn.Module | None = None,
    filled_to: int = 0,
) -> list[Stage]:
    """Return the stages of *case*, the clean image first.

    Args:
        case: the evaluation.
        network: in eval mode, without parameters that require gradients.
        n_classes: of the network.
        make_pgd: threat, steps, step size -> attack; a compiled one, say.
        source: the network that ``transfer`` attacks.
        filled_to: the most that AutoAttack's batches are filled up to; 0 for never.

    Raises:
        UserError: AutoAttack's targeted attacks with fewer than four classes, or any of
            its four without pyautoattack.
        ValueError: no source for a transfer.
    """
    stages = [Stage("clean", "clean", 0.5, lambda x, y, index: x)]
    climb = partial(_climb, case, make_pgd)
    if case.kind == "fgsm":
        once = make_pgd(case.threat, 1, case.epsilon)
        stages.append(Stage("fgsm", "fgsm", 1, partial(_from_image, once, network)))
    elif case.kind == "pgd":
        stages += climb(network, cross_entropy, case.number)
    elif case.kind == "cw":
        stages += climb(network, margin, case.number)
    elif case.kind == "transfer":
        if source is None:
            raise ValueError("transfer needs the network to attack instead")
        stages += climb(source, cross_entropy, 20)
    elif case.kind != "clean":
        stages += library_stages(
            case, network, n_classes=n_classes, filled_to=filled_to
        )
    return stages


def left_out(case: Case, n_classes: int) -> dict[str, str]:
    """Return ``left_out``: what of the case is not defined for so few classes."""
    if case.kind != WITHOUT_DLR or n_classes >= FEWEST:
        return {}
    text = f"apgd-t, whose loss needs at least {FEWEST} classes, got {n_classes}"
    return {"left_out": text}


def starts(
    threat: ThreatModel, x: Tensor, index: list[int], seed: int, *names: str | int
) -> Tensor:
    """Return each image's random start, from a stream of its own, like x."""
    streams = (generator(seed, "evaluation", *names, i) for i in index)
    shape = torch.Size((1, *x.shape[1:]))
    return torch.cat([geometry.start(threat, shape, s) for s in streams]).to(x)


def _climb(
    case: Case, make_pgd: MakePGD, network: nn.Module, loss: Loss, steps: int
) -> list[Stage]:
    """Return a stage a restart of PGD on *network*."""
    attack = make_pgd(case.threat, steps, case.step_size)
    kind = "cw" if loss is margin else "pgd"

    def find(restart: int, x: Tensor, y: Tensor, index: list[int]) -> Tensor:
        begin = starts(case.threat, x, index, case.seed, kind, restart)
        return attack(network, x, loss, y, begin)

    return [
        Stage(f"{case.attack} {k + 1}", case.attack, steps, partial(find, k))
        for k in range(case.restarts)
    ]


def _from_image(
    attack: PGD, network: nn.Module, x: Tensor, y: Tensor, index: list[int]
) -> Tensor:
    return attack(network, x, cross_entropy, y, torch.zeros_like(x))
