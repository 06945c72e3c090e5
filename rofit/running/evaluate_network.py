"""`rofit.evaluate` of a network in memory: nothing is stored, and nothing changed."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from torch import nn

from rofit.adapters.inputs import Inputs, Statement
from rofit.adapters.labelled import check_classes, read_labelled
from rofit.adapters.networks import (
    LogitsAt,
    as_measured,
    first_logits,
    frozen,
    unwrapped,
)
from rofit.diagnostics.monitor import unchanged
from rofit.errors import UserError
from rofit.evaluation import adversarial
from rofit.evaluation.accuracy import CHUNK
from rofit.evaluation.cases import read_cases
from rofit.evaluation.verdicts import EvaluationImages
from rofit.running.checks import checked_threats
from rofit.running.network_cases import checks_of, evaluate_case
from rofit.settings.spec import RunSpec
from rofit.settings.threat import ThreatModel, read_threat
from rofit.training.process import prepared

# A row a case; those that `rofit.evaluate` of runs has too mean the same there.
COLUMNS = (
    "kind attack norm epsilon n accuracy seconds after left_out checks accuracy_saved"
).split()


def evaluate_network(
    model: nn.Module,
    x: Any,
    y: Any,
    threat: str | ThreatModel = "linf:8/255",
    attacks: str | Iterable[str] = ("clean", "pgd20", "autoattack"),
    *,
    inputs: Statement = "unit",
    logits: LogitsAt = None,
    source: nn.Module | None = None,
    step_size: float | None = None,
    seed: int = 0,
    batch_size: int = 0,
    save_adversarial: str | Path | None = None,
    eight_bit: bool = False,
    console: Console | None = None,
) -> pd.DataFrame:
    """Evaluate a network in memory under attacks, and check for masked gradients.

    It is evaluated in eval mode and fp32, on the device of its weights; modes, weights,
    buffers, gradients and random streams are bit for bit as before.

    Args:
        model: the network; DataParallel, DDP and torch.compile are looked through.
        x: images (N, C, H, W) as the network takes them, or uint8.
        y: classes (N,).
        threat: norm and radius in units of [0, 1]: ``linf:8/255``, ``l2:0.5``.
        attacks: a name or several, ``pgd20@4/255`` with a radius of its own, ``all``.
        inputs: what the network takes: ``"unit"`` for [0, 1], ``"bytes"`` for 0..255,
            or (mean, std), in units of [0, 1], of a normalisation outside of it.
        logits: where its output has the logits: a place, a key, or a function; None
            where it is a tensor, has ``logits``, or one matrix only.
        source: the network that ``transfer`` attacks instead, taken the same way.
        step_size: of PGD and C&W at the threat's radius; a quarter of it where None.
        seed: of every draw.
        batch_size: images at a time; the device's usual number where 0.
        save_adversarial: file (.npz or .parquet) for an adversarial image in [0, 1] of
            every image and attack: the one that fools it, or the last one tried.
        eight_bit: round these to multiples of 1/255, inside the ball, and save uint8.
        console: where progress is shown; nowhere where None.

    Returns:
        `COLUMNS`, a row a case: accuracy a fraction in [0, 1] of images that are right
        clean and attacked; ``after`` that after each attack of a cascade; ``left_out``
        what of AutoAttack is not defined for so few classes; ``checks`` the warnings of
        the threat model's checks; ``accuracy_saved`` the share of saved images that are
        predicted right, anew, as they are in the file; None where none are saved.

    Raises:
        UserError: what is no such network, image, class, threat model or attack.
        NotFinite: a logit is NaN or infinite.

    Examples:
        ``rofit.evaluate(model, x, y, "linf:8/255", ["clean", "pgd20"])``
    """
    ball, names = read_threat(threat), _tuple(attacks)
    path = None if save_adversarial is None else Path(save_adversarial)
    _check(ball, names, source, batch_size, path, eight_bit)
    network, taken = unwrapped(model), Inputs.read(inputs)
    device = next(network.parameters()).device
    images, classes = read_labelled(x, y, taken, torch.empty(0, device=device))
    data = EvaluationImages(images, classes, list(range(len(classes))))
    with _restored(model, source), prepared("fp32"):
        measured = _in_fp32(as_measured(network, taken, logits))
        attacked = source and _in_fp32(as_measured(unwrapped(source), taken, logits))
        n_classes = first_logits(measured, images[:2]).shape[1]
        check_classes(classes, n_classes, "the images")
        if attacked:
            others = first_logits(attacked, images[:2]).shape[1]
            check_classes(classes, others, "the images for source")
        if eight_bit:
            adversarial.rounded(ball, images, images)  # before hours of attacks
        spec = RunSpec(
            norm=ball.norm,
            epsilon=ball.epsilon,
            step_size=ball.epsilon / 4 if step_size is None else step_size,
        )
        transferred = "another network" if source else ""
        cases = read_cases(
            names, spec, n=len(classes), n_classes=n_classes, seed=seed,
            source=transferred,
        )  # fmt: skip
        made = [
            evaluate_case(
                case, measured, data, attacked, n_classes,
                chunk=batch_size or CHUNK[device.type],
                console=console,
                kept=path is not None,
                eight_bit=eight_bit,
            )
            for case in cases
        ]  # fmt: skip
        checks = {
            pair: checks_of(measured, data, ThreatModel(*pair), made)
            for pair in checked_threats(spec, cases)
        }
    if path is not None:
        adversarial.save(path, [row.pop("saved") for row in made])
    for row in made:
        pair = (
            (row["norm"], row["epsilon"])
            if row["epsilon"]
            else (ball.norm, ball.epsilon)
        )
        row["checks"] = checks.get(pair)
    return pd.DataFrame(made, columns=COLUMNS)


def _check(
    threat: ThreatModel,
    names: tuple[str, ...],
    source: nn.Module | None,
    batch_size: int,
    path: Path | None,
    eight_bit: bool,
) -> None:
    """Raise UserError for arguments that do not go together."""
    if (threat.lower, threat.upper) != (0.0, 1.0):
        raise UserError("images are in [0, 1]: so must be the threat model's range")
    if not threat.epsilon and any(
        name != "clean" and "@" not in name for name in names
    ):
        raise UserError(f"attacks need a radius above 0, got the threat model {threat}")
    if "transfer" in {name.partition("@")[0] for name in names} and source is None:
        raise UserError("transfer needs the network to attack instead: source=")
    if batch_size < 0:
        raise UserError(f"batch_size must be at least 0, got {batch_size}")
    if path is not None:
        adversarial.require_format(path)
    elif eight_bit:
        raise UserError("eight_bit is of images that are saved: save_adversarial=")


def _in_fp32(network: nn.Module) -> nn.Module:
    """Return a frozen copy with logits in fp32, which AutoAttack's code expects."""
    copied = frozen(network)
    copied.register_forward_hook(lambda module, args, logits: logits.float())
    return copied


@contextmanager
def _restored(*networks: nn.Module | None) -> Iterator[None]:
    """Run the block, then put networks and all random streams back."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    first, *others = [network for network in networks if network is not None]
    device = next(first.parameters()).device.type
    try:
        with (
            torch.inference_mode(False),
            torch.autocast(device, enabled=False),
            unchanged(first),
        ):
            if not others:
                yield
            else:
                with unchanged(others[0]):
                    yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def _tuple(names: str | Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)
