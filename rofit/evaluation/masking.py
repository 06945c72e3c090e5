"""Checks for gradient masking: what would make an evaluation overstate robustness.

Each check has a name and returns a warning in words, or an empty text. Probes run the
network on a few images; comparisons look at verdicts that were made anyway. All
thresholds are ours, but for Square's, which is AutoAttack's.

Source: Athalye et al. 2018; Carlini et al. 2019; the flags of AutoAttack (Croce and
Hein 2020), whose own check for dynamic defences takes debuggers away (sys.settrace).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from rofit.attacks.pgd import PGD
from rofit.evaluation.finite import finite_logits
from rofit.evaluation.stages import starts
from rofit.evaluation.verdicts import EvaluationImages, fooled
from rofit.losses import cross_entropy, margin
from rofit.settings.threat import ThreatModel

PROBED = 128  # images
_LARGE = {"linf": 128 / 255, "l2": 8.0}  # radii inside which no class survives
_SHARE = 0.01  # of the probed images
_POINTS = 0.01  # of accuracy
_SQUARE = 0.002  # of accuracy
_FEW = 2 * _POINTS + 1e-9  # of accuracy: as good as nothing
_TINY = 1e-9  # a threshold itself raises nothing, whatever the rounding
Probe = Callable[[nn.Module, EvaluationImages, ThreatModel], str]
# What survives each attack, by name of the attack: bool (n,), all on the same images.
Survivors = Mapping[str, Tensor]


def probe(
    network: nn.Module, images: EvaluationImages, threat: ThreatModel
) -> dict[str, str]:
    """Return each probe's warning, empty where there is none, or raise NotFinite.

    Args:
        network: in eval mode; any callable module that maps [0, 1] to logits.
        images: the first PROBED of them are used.
        threat: norm and radius of the evaluation.
    """
    probed = images.first(PROBED)
    return {name: check(network, probed, threat) for name, check in PROBES.items()}


def compare(survivors: Survivors) -> dict[str, str]:
    """Return each comparison's warning, for those whose attacks have been made."""
    robust = {
        name: float(survives.double().mean()) for name, survives in survivors.items()
    }
    white = [n for n in survivors if n.startswith(_WHITE) and "+square" not in n]
    warnings: dict[str, str] = {}
    for name in white if "none" in robust else []:
        warnings.setdefault("robust_near_clean", "")
        if robust["none"] - robust[name] < 2 * _POINTS - _TINY and robust[name] > _FEW:
            warnings["robust_near_clean"] = (
                f"{name} costs {_points(robust['none'] - robust[name])} of the clean "
                "accuracy: is the radius in input units, the normalisation inside?"
            )
    for check, weak, strong in _STRONGER:
        if weak in robust and strong in robust:
            warnings.setdefault(check, "")
            if robust[weak] - robust[strong] > _POINTS + _TINY:
                warnings[check] = (
                    f"{strong} leaves {_points(robust[weak] - robust[strong])} less "
                    f"than {weak}, which is not enough here"
                )
    for name in [n for n in survivors if n.startswith(_BLACK)] if white else []:
        together = torch.stack([survivors[n] for n in white]).all(dim=0)
        lost = float((together & ~survivors[name]).double().mean())
        warnings.setdefault("black_box_wins", "")
        most = _SQUARE if name.startswith("square") else _POINTS
        if lost > most + _TINY:
            warnings["black_box_wins"] = (
                f"{name}, which sees no gradient, fools {_points(lost)} of images "
                f"that {', '.join(white)} left: gradients mislead"
            )
    return warnings


# How the attacks that see gradients are called, and those that do not.
_WHITE = ("fgsm", "pgd", "cw", "apgd", "fab", "autoattack without")
_BLACK = ("square", "transfer")
_STRONGER = (
    ("more_steps_win", "pgd20", "pgd100"),
    ("more_steps_win", "pgd100", "pgd1000"),
    ("restarts_win", "pgd20", "pgd20x5"),
)


def _random(network: nn.Module, images: EvaluationImages, threat: ThreatModel) -> str:
    with torch.no_grad():
        one, other = finite_logits(network(images.x)), network(images.x)
    apart = float((one - other).abs().max())
    if apart <= 1e-4 * float(one.abs().max()):
        return ""
    return (
        "predictions of one image differ between two passes: a random defence; "
        "average over its draws (AutoAttack's version rand), or fix them"
    )


def _probabilities(
    network: nn.Module, images: EvaluationImages, threat: ThreatModel
) -> str:
    with torch.no_grad():
        outputs = network(images.x)
    sums_to_one = bool(((outputs.sum(dim=1) - 1).abs() < 1e-4).all())
    if sums_to_one and float(outputs.min()) > -1e-4:
        return "the network returns probabilities: attacks need the logits before them"
    return ""


def _dynamic(network: nn.Module, images: EvaluationImages, threat: ThreatModel) -> str:
    with _counted() as calls, torch.enable_grad():
        network(images.x)
    if not calls:
        return ""
    return (
        "the network takes gradients while it predicts: a defence that adapts at test "
        "time; attack what it adapts to"
    )


def _zero_gradients(
    network: nn.Module, images: EvaluationImages, threat: ThreatModel
) -> str:
    share = float(_flat(network, images, margin).float().mean())
    if share <= _SHARE:
        return ""
    return (
        f"the gradient of the margin is zero or NaN in {share:.0%} of images: rounding "
        "or a threshold cuts it; go around it (BPDA) or trust black boxes only"
    )


def _saturated(
    network: nn.Module, images: EvaluationImages, threat: ThreatModel
) -> str:
    lost = _flat(network, images, cross_entropy) & ~_flat(network, images, margin)
    share = float(lost.float().mean())
    if share <= _SHARE:
        return ""
    return (
        f"the gradient of the cross entropy is zero in {share:.0%} of images, that of "
        "the margin is not: logits are so large that the softmax saturates; trust cw "
        "and apgd-t, not pgd"
    )


def _large_radius(
    network: nn.Module, images: EvaluationImages, threat: ThreatModel
) -> str:
    with torch.enable_grad():
        logits = network(images.x.clone().requires_grad_(True))
    if not logits.requires_grad:
        return ""  # zero_gradients says so
    wide = ThreatModel(threat.norm, _LARGE[threat.norm])
    attack = PGD(wide, 20, wide.epsilon / 4)
    begin = starts(wide, images.x, images.index, 0, "large radius")
    x_adv = attack(network, images.x, cross_entropy, images.y, begin)
    robust = float((~fooled(network, wide, images.x, images.y, x_adv)).float().mean())
    if robust <= 2 * _POINTS:
        return ""
    return (
        f"inside {wide}, where every image can become any other, pgd20 still leaves "
        f"{robust:.0%}: the attack does not find its way"
    )


def _clean_at_chance(
    network: nn.Module, images: EvaluationImages, threat: ThreatModel
) -> str:
    with torch.no_grad():
        logits = network(images.x)
    right = float((logits.argmax(dim=1) == images.y).float().mean())
    chance = 1 / logits.shape[1]
    spread = (chance * (1 - chance) / len(images.y)) ** 0.5
    if right > chance + 2 * spread:
        return ""
    return (
        f"clean accuracy is {right:.0%}, as by chance: are images, classes and "
        "normalisation those of the training?"
    )


PROBES: dict[str, Probe] = {
    "random_predictions": _random,
    "probabilities": _probabilities,
    "dynamic": _dynamic,
    "zero_gradients": _zero_gradients,
    "saturated_softmax": _saturated,
    "large_radius": _large_radius,
    "clean_at_chance": _clean_at_chance,
}


def _flat(
    network: nn.Module,
    images: EvaluationImages,
    loss: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Return whether the loss has no gradient to follow in each image: bool (B,)."""
    x, gradient = images.x.clone().requires_grad_(True), None
    with torch.enable_grad():
        total = loss(network(x), images.y).sum()
    if total.requires_grad:
        (gradient,) = torch.autograd.grad(total, x, allow_unused=True)
    if gradient is None:
        return torch.ones(len(x), dtype=torch.bool, device=x.device)
    unusable = (gradient == 0).flatten(1).all(dim=1)
    return unusable | ~gradient.isfinite().flatten(1).all(dim=1)


_ENTRY_POINTS = ("grad", "backward")


@contextmanager
def _counted() -> Iterator[list[str]]:
    """Note the gradients that are taken inside the block."""
    calls: list[str] = []
    # What grad and backward both call, so that those imported before are seen as well.
    inner = [n for n in ("_engine_run_backward",) if hasattr(torch.autograd, n)]
    usual = {name: getattr(torch.autograd, name) for name in inner or _ENTRY_POINTS}

    def noted(name: str) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            calls.append(name)
            return usual[name](*args, **options)

        return call

    try:
        for name in usual:
            setattr(torch.autograd, name, noted(name))
        yield calls
    finally:
        for name, function in usual.items():
            setattr(torch.autograd, name, function)


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"
