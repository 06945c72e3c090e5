"""The network that a file's tensors make, with every one of them accounted for."""

import re
from collections.abc import Collection

import torch
from torch import Tensor

from rofit.data.images import Dataset
from rofit.errors import UserError
from rofit.interop.checkpoints.families import (
    GOWAL,
    GOWAL_WIDE,
    OUR_RESNET,
    PREACT,
    RESNET,
    WIDE,
    Family,
    renamed,
)
from rofit.interop.checkpoints.normalisers import Normaliser
from rofit.interop.checkpoints.weights import Weights
from rofit.running.components import initial_model
from rofit.settings.spec import RunSpec

_SHOWN = 4  # names in a sentence
# What wrappers keep beside a network, which is none of its tensors.
_BOOKKEEPING = ("n_averaged", "n_classes")
_BLOCK = re.compile(r"stages\.(\d+)\.(\d+)\.")
_SIZES: dict[tuple[int, tuple[int, ...]], str] = {
    (64, (2, 2, 2, 2)): "preact_resnet18",
    (32, (1, 1, 1)): "preact_small",
}


def architecture(
    spec: RunSpec, weights: Weights, *, model: str, activation: str, form: str
) -> RunSpec:
    """Return *spec* with the network of a file: what is given, else by its tensors.

    Args:
        spec: of the run.
        weights: of the file.
        model: a model's name, which then has its own size.
        activation: where empty, ``silu`` for the networks of Gowal et al.
        form: where empty, ``deepmind`` for those.
    """
    tensors = renamed(weights.family, weights.tensors).tensors
    if weights.family in GOWAL:
        activation, form = activation or "silu", form or "deepmind"
    elif weights.family is PREACT and "bn.weight" not in tensors:
        form = form or "no_last_bn"
    spec = spec.replace(activation=activation or "relu", form=form or "usual")
    if model:
        return spec.replace(model=model)
    name, width, blocks = _size(weights.family, tensors)
    return spec.replace(model=name, width=width, blocks=blocks)


def _size(
    family: Family, tensors: dict[str, Tensor]
) -> tuple[str, int, tuple[int, ...]]:
    """Return name, width and blocks, by the names and shapes of rofit's tensors."""
    if family in (RESNET, OUR_RESNET):
        return "resnet18", 0, ()
    places = {m.groups() for m in map(_BLOCK.match, tensors) if m}
    stages = [stage for stage, _ in places]
    blocks = tuple(stages.count(str(i)) for i in range(len(set(stages))))
    stem, width = (
        next(iter(tensors[key].shape), 0)
        for key in ("stem.weight", "stages.0.0.conv1.weight")
    )
    if family in (WIDE, GOWAL_WIDE) or width != stem:
        return f"wrn_{6 * blocks[0] + 4}_{max(width // 16, 1)}", 0, ()
    if (width, blocks) in _SIZES:
        return _SIZES[width, blocks], 0, ()
    return "preact_resnet18", width, blocks


def state_dict(
    weights: Weights,
    spec: RunSpec,
    data: Dataset,
    *,
    known: Collection[str],
    path: object,
) -> tuple[dict[str, Tensor], int]:
    """Return the tensors by rofit's names in fp32, and how many keys are never used.

    Args:
        weights: of the file.
        spec: names the network that they must make.
        data: the data set of the run.
        known: whole keys that something else is made of: normalisers, other networks.
        path: of the file, for sentences.

    Raises:
        UserError: a tensor is missing, left over, of another shape, or no numbers.
    """
    names = renamed(weights.family, weights.tensors)
    tensors = dict(names.tensors)
    head = tensors.get("classifier.weight")
    if head is not None and head.ndim == 2 and len(head) != data.n_classes:
        raise UserError(
            f"the network in {path} has {len(head)} classes, and {data.name} has "
            f"{data.n_classes}; --dataset names another"
        )
    with torch.device("meta"):
        expected = initial_model(spec.replace(normalise=False), data).state_dict()
    for key in expected.keys() - tensors.keys():
        if key.endswith("num_batches_tracked"):  # older files lack it; it only counts
            tensors[key] = torch.zeros((), dtype=torch.int64)
    inside = [weights.prefix + key for key in names.left_over]
    left_over = {*inside, *weights.beside} - set(known) - set(_BOOKKEEPING)
    _account(tensors, expected, sorted(left_over), f"{path} and {spec.model}")
    for key, value in tensors.items():
        same_kind = value.is_floating_point() == expected[key].is_floating_point()
        if not same_kind or value.is_meta or value.layout != torch.strided:
            raise UserError(f"{key} in {path} holds no plain numbers: {value.dtype}")
    state = {
        key: value.detach().to(expected[key].dtype).clone()
        for key, value in tensors.items()
    }
    return state, len(names.unused)


def with_constants(
    state: dict[str, Tensor], normaliser: Normaliser
) -> dict[str, Tensor]:
    """Return a network's state with the constants of its first layer."""
    if not normaliser.mean:
        return state
    sides = {"mean": normaliser.mean, "std": normaliser.std}
    return state | {
        f"normalise.{name}": torch.tensor(side).view(1, -1, 1, 1)
        for name, side in sides.items()
    }


def _account(
    tensors: dict[str, Tensor],
    expected: dict[str, Tensor],
    left_over: list[str],
    both: str,
) -> None:
    """Raise UserError, in one sentence, for all that does not fit."""
    shapes = [
        f"{key} {tuple(tensors[key].shape)} for {tuple(expected[key].shape)}"
        for key in sorted(expected.keys() & tensors.keys())
        if tensors[key].shape != expected[key].shape
    ]
    differences = {
        "missing": sorted(expected.keys() - tensors.keys()),
        "left over": [*left_over, *sorted(tensors.keys() - expected.keys())],
        "of another shape": shapes,
    }
    parts = [
        f"{len(keys)} {what} ({', '.join(keys[:_SHOWN])}"
        + (", ...)" if len(keys) > _SHOWN else ")")
        for what, keys in differences.items()
        if keys
    ]
    if parts:
        raise UserError(f"the tensors of {both} do not fit: {'; '.join(parts)}")
