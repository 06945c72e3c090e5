"""Scales: how big. A named change of a RunSpec, stamped on every result it made.

A scale may touch only the fields of TOUCHABLE, and of them none that the analysis
itself varies: neither the threat, nor what a method is, nor its schedule's shape.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from rofit.errors import look_up
from rofit.settings.spec import RunSpec

TOUCHABLE = frozenset(
    "dataset train_size val_size test_size crop_pad flip label_noise model width "
    "attack_steps eval_steps eval_every epochs batch_size lr precision".split()
)


@dataclass(frozen=True)
class Scale:
    """One size.

    Attributes:
        about: what a run is of.
        takes: how long an analysis, or a run of it, takes.
        seeds: runs of each setting.
        changes: RunSpec field -> value.
        smaller: model -> the small one of its kind, where models are compared.
        longest: attacks that may take more passes an image are left out of what an
            analysis evaluates by; what is missing stays empty.
    """

    about: str
    takes: str
    seeds: int
    changes: dict[str, Any] = field(default_factory=dict)
    smaller: dict[str, str] = field(default_factory=dict)
    longest: float = math.inf

    def apply(self, spec: RunSpec, *, but: Iterable[str] = ()) -> RunSpec:
        """Return *spec* at this size; fields in *but* stay as they are."""
        changes = {key: value for key, value in self.changes.items() if key not in but}
        return spec.replace(**changes)


SCALES: dict[str, Scale] = {
    "smoke": Scale(
        about="128 training images, a tiny net, 2 epochs",
        takes="seconds",
        seeds=1,
        smaller={"preact_resnet18": "preact_small", "wrn_34_10": "wrn_10_1"},
        longest=100,
        changes={
            "dataset": "digits",
            "train_size": 128,
            "val_size": 64,
            "test_size": 64,
            "label_noise": 0.4,
            "crop_pad": 0,
            "flip": False,
            "model": "preact_small",
            "width": 8,
            "attack_steps": 2,
            "eval_steps": 2,
            "epochs": 2,
            "batch_size": 64,
        },
    ),
    # Digits alone do not overfit robustly, at no radius that was tried; with redrawn
    # labels they do, and quickly at this learning rate and batch size.
    "demo": Scale(
        about="400 training images, 40 % of labels redrawn, a small net, 28 epochs",
        takes="two minutes on 2 cores",
        seeds=3,
        smaller={"preact_resnet18": "preact_small", "wrn_34_10": "wrn_10_1"},
        changes={
            "dataset": "digits",
            "train_size": 400,
            "val_size": 150,
            "test_size": 250,
            "label_noise": 0.4,
            "crop_pad": 0,
            "flip": False,
            "model": "preact_small",
            "width": 16,
            "attack_steps": 5,
            "eval_steps": 5,
            "epochs": 28,
            "batch_size": 25,
            "lr": 0.4,
        },
    ),
    "cpu": Scale(
        about="1,000 training images, a tiny net, 40 epochs",
        takes="up to 10 minutes a run on 2 cores",
        seeds=3,
        smaller={"preact_resnet18": "preact_tiny", "wrn_34_10": "wrn_10_1"},
        changes={
            "train_size": 1000,
            "val_size": 300,
            "test_size": 500,
            "crop_pad": 0,
            "flip": False,
            "model": "preact_tiny",
            "attack_steps": 5,
            "eval_steps": 10,
            "epochs": 40,
            "batch_size": 64,
        },
    ),
    # What the search for a size found (docs/results.md): the order of events is the
    # paper's, for the capacity suffices to memorise after the drop and not before.
    "hour": Scale(
        about="2,500 training images, a tiny net, 120 epochs in bf16, every fifth "
        "evaluated",
        takes="under an hour a run on 2 cores",
        seeds=3,
        smaller={"preact_resnet18": "preact_tiny", "wrn_34_10": "wrn_10_1"},
        changes={
            "train_size": 2500,
            "val_size": 1500,
            "test_size": 1500,
            "model": "preact_tiny",
            "width": 48,
            "attack_steps": 5,
            "eval_steps": 10,
            "eval_every": 5,
            "precision": "bf16",
            "epochs": 120,
            "batch_size": 32,
        },
    ),
    "gpu": Scale(
        about="all training images, PreAct ResNet-18, 30 epochs in bf16, every second "
        "evaluated",
        takes="minutes on a GPU",
        seeds=1,
        changes={"precision": "bf16", "eval_steps": 10, "eval_every": 2, "epochs": 30},
    ),
    "paper": Scale(
        "the paper's protocol, untouched", takes="not measured yet", seeds=3
    ),
}


def find_scale(name: str) -> Scale:
    """Return the scale called *name*.

    Raises:
        UserError: no such scale.
    """
    return look_up("scale", name, SCALES)
