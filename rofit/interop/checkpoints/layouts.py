"""Whose file it is: the layouts of published code, recognised by their keys.

A layout says what the keys do not: whether the training script normalised the images
before the network saw them, and which form the network has.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from torch import Tensor

from rofit.interop.checkpoints.families import (
    GOWAL,
    OUR_RESNET,
    OURS,
    PREACT,
    RESNET,
    WIDE,
)
from rofit.interop.checkpoints.weights import Weights

INSIDE, OUTSIDE = "inside", "outside"


@dataclass(frozen=True)
class Layout:
    """One published way to save a network.

    Attributes:
        name: in the store.
        whose: in sentences.
        normalise: ``inside``, the network takes images in [0, 1] as they are, or
            ``outside``, its training script normalised them.
        certain: False where others with the same keys do otherwise.
        recognise: from the keys of the file and the weights that were chosen.
        form: of the network, where its keys do not say.
    """

    name: str
    whose: str
    normalise: str
    certain: bool
    recognise: Callable[[frozenset[str], Weights], bool]
    form: str = ""


def _has(*keys: str) -> Callable[[frozenset[str], Weights], bool]:
    return lambda outer, _: set(keys) <= outer


def _names(weights: Weights) -> set[str]:
    return {*weights.beside, *weights.tensors}


def _without_last_bn(weights: Weights) -> bool:
    return weights.family is PREACT and "bn.weight" not in weights.tensors


# The first that recognises a file is taken. Read in the code of each, at the commit
# behind its name; docs/interop.md lists what each saves.
LAYOUTS = (
    Layout("rofit", "rofit", INSIDE, True, lambda _, w: w.family in (OURS, OUR_RESNET)),
    Layout(  # fcf0aba; its buffers mean and std stand beside and are not used
        "mair",
        "MAIR",
        INSIDE,
        True,
        lambda outer, w: "rmodel" in outer or "n_classes" in w.beside,
    ),
    Layout(  # a954124
        "robustness",
        "MadryLab/robustness",
        INSIDE,
        True,
        lambda _, w: any(key.endswith("normalizer.new_mean") for key in w.beside),
    ),
    Layout(
        "lightning",
        "Lightning",
        INSIDE,
        False,
        lambda outer, _: (
            "pytorch-lightning_version" in outer
            or {"state_dict", "hyper_parameters"} <= outer
        ),
    ),
    Layout(  # 4066275
        "kd_swa",
        "KD+SWA (VITA-Group/Alleviate-Robust-Overfitting)",
        INSIDE,
        True,
        lambda outer, _: (
            "swa_state_dict" in outer or {"best_sa", "best_ra", "result"} <= outer
        ),
    ),
    Layout(
        "adr",
        "ADR or another with timm's averages",
        INSIDE,
        False,
        lambda _, w: {"ema"} <= set(w.where.replace("/", "_").split("_")),
    ),
    Layout(  # c47a25c; AWP a7acf5d; MLCAT bc02c8d
        "robust_overfitting",
        "locuslab/robust_overfitting, AWP or MLCAT",
        OUTSIDE,
        True,
        _has("state_dict", "test_robust_acc"),
    ),
    Layout(  # SAT 2f902b3, SGLS 3e96990
        "sgls", "SAT or SGLS", INSIDE, True, _has("state_dict", "best_prec1")
    ),
    Layout(
        "gowal",
        "Gowal, Rebuffi, Rade or Wang et al.",
        INSIDE,
        True,
        lambda _, w: w.family in GOWAL,
    ),
    Layout(  # HAT 3177a4f, DM-Improves-AT b390f25
        "hat", "HAT or DM-Improves-AT", INSIDE, False, _has("model_state_dict")
    ),
    Layout(
        "understanding_fast_at",
        "Andriushchenko and Flammarion",
        INSIDE,
        True,
        lambda outer, w: {"last", "best"} <= outer and _without_last_bn(w),
        form="raw_shortcut_no_last_bn",
    ),
    Layout(  # 78fcc9e
        "robustbench",
        "RobustBench",
        INSIDE,
        True,
        lambda _, w: any(
            key.rpartition(".")[2] in ("mu", "sigma", "mean", "std")
            for key in _names(w)
        ),
    ),
    Layout(  # TRADES 6e8e11b, MART 2d83e17, FastAT Benchmark b99c0de
        "trades",
        "TRADES or MART",
        INSIDE,
        True,
        lambda _, w: any(key.startswith("sub_block1.") for key in w.tensors),
    ),
    Layout(  # b99c0de
        "fast_at_benchmark",
        "FastAT Benchmark",
        INSIDE,
        True,
        lambda _, w: _without_last_bn(w),
    ),
    Layout(  # c47a25c, a7acf5d, bc02c8d
        "robust_overfitting",
        "locuslab/robust_overfitting, AWP or MLCAT",
        OUTSIDE,
        False,
        lambda _, w: w.family is PREACT,
    ),
    Layout(  # memorization-AT 5edda6c, TRADES-AWP a7acf5d
        "state_dict",
        "memorization-AT, TRADES, MART or AWP",
        INSIDE,
        False,
        lambda _, w: w.family in (WIDE, RESNET),
    ),
)


def layout_of(weights: Weights) -> Layout:
    """Return whose file it is that has these weights."""
    outer = frozenset(weights.outer)
    return next(layout for layout in LAYOUTS if layout.recognise(outer, weights))


_FACTS = ("acc", "prec", "epoch", "_sa", "_ra", "robust", "loss")
# Where a file says clean accuracy on test images, as a fraction or in per cent.
_CLEAN = ("test_acc", "nat_prec1", "clean_acc", "test_clean_acc", "best_sa")
_MOST_FACTS, _LONGEST_KEY = 30, 100


def facts(outer: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers that a file says of itself: accuracies, losses, epoch."""
    numbers: dict[str, float] = {}
    for key, value in outer.items():
        if isinstance(value, Tensor) and value.numel() == 1:
            value = value.item()
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        named = any(word in key for word in _FACTS)
        if is_number and named and len(numbers) < _MOST_FACTS and isfinite(value):
            numbers[key[:_LONGEST_KEY]] = value
    return numbers


def clean_accuracy(numbers: Mapping[str, float]) -> float | None:
    """Return what a file says of its clean accuracy, a fraction; None if nothing."""
    for key in _CLEAN:
        if 0 <= numbers.get(key, -1) <= 100:
            return numbers[key] / (100 if numbers[key] > 1 else 1)
    return None
