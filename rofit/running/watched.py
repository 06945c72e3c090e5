"""Checkpoints of loops outside of rofit: their networks are built by their users.

A checkpoint has weights and no architecture, and rofit keeps no images of others: a
function of the user's returns both, and what the run has kept is held against them.
"""

import os
import runpy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rofit.adapters.inputs import Inputs
from rofit.adapters.labelled import check_classes
from rofit.adapters.networks import as_measured, digest, first_logits, frozen, unwrapped
from rofit.errors import UserError, quoted
from rofit.evaluation.verdicts import EvaluationImages
from rofit.watching.images import UnitImages, images_digest

Builder = Callable[[], Any]


@dataclass(frozen=True)
class Rebuilt:
    """A watched network with its weights, and the test images of its run.

    Attributes:
        digest: of the weights.
        network: in eval mode, from [0, 1] to logits.
        images: the run's test images.
        n_classes: of the network.
    """

    digest: str
    network: nn.Module
    images: EvaluationImages
    n_classes: int


def find_builder(named: str | Builder) -> Builder | None:
    """Return the function that ``FILE.py:FUNCTION`` names, or *named* itself.

    None for an empty name. The file is run.

    Raises:
        UserError: there is no such file, or no such function in it.
    """
    if callable(named) or not named:
        return named or None
    file, _, function = named.rpartition(":")
    if not file.endswith(".py") or not os.path.isfile(file):
        raise UserError(
            f"a network is named FILE.py:FUNCTION, of a file that is there, got "
            f"{quoted(named)}"
        )
    builder = runpy.run_path(file).get(function)
    if not callable(builder):
        raise UserError(f"{file} has no function {quoted(function)}")
    return builder


def rebuild(
    path: Path, state: dict[str, Any], build: Builder | None, device: torch.device
) -> Rebuilt:
    """Return the network of a watched run's checkpoint.

    Args:
        path: of the checkpoint.
        state: what it holds.
        build: returns the network, any weights, with images and classes of the test
            part, as they were given to `rofit.watch.watch`.
        device: where it is evaluated.

    Raises:
        UserError: no function, or one whose network or images are not those of the run.
    """
    if build is None:
        raise UserError(
            f"{path} is of a loop outside of rofit, which cannot build its network: "
            "name a function that returns network, test images and classes "
            "(--network FILE.py:FUNCTION), or call rofit.evaluate(model, x, y)"
        )
    try:
        model, x, y = build()
    except (TypeError, ValueError) as error:
        raise UserError(
            f"the function of the network must return network, images and classes: "
            f"{error}"
        ) from None
    model, reading = unwrapped(model).to(device), state["reading"]
    inputs = Inputs(tuple(reading["mean"]), tuple(reading["std"]))
    _load(path, state["model"], model)
    images = UnitImages(x, y, inputs, next(model.parameters()))
    if images_digest(images) != reading["test"]:
        raise UserError(f"the test images are not those that {path} was watched on")
    network = frozen(as_measured(model, inputs, reading["logits"]))
    n_classes = first_logits(network, images.unit()[:2]).shape[1]
    check_classes(images.y, n_classes, "the test images")
    positions = list(range(len(images.y)))
    evaluated = EvaluationImages(images.unit(), images.y, positions)
    return Rebuilt(digest(model.state_dict().values()), network, evaluated, n_classes)


def _load(path: Path, weights: dict[str, Tensor], model: nn.Module) -> None:
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reasons = str(error).splitlines()[1:2] or [str(error)]
        raise UserError(
            f"the weights in {path} do not fit the network that was built: "
            f"{reasons[0].strip()}"
        ) from None
