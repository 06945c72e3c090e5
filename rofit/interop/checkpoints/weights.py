"""The networks that a checkpoint file holds: in which dictionary, behind which prefix.

The one place where prefixes are stripped: of DataParallel (``module.``), torch.compile
(``_orig_mod.``), wrappers (``model.``), sequences (``1.``), or whatever stands before a
network's first key.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from rofit.errors import quoted, unknown
from rofit.interop.checkpoints.families import FAMILIES, Family
from rofit.interop.checkpoints.reading import Unreadable

_DEEPEST = 6  # dictionaries in dictionaries
_LONGEST_LIST = 100
# Wrappers that torch puts around any module, also in the middle of a key.
_WRAPPERS = re.compile(
    r"(^|\.)(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)(?=\.)"
)
# Words of a path. Averaged weights are what their authors evaluate; copies for an
# attack or a loss are never meant.
_AVERAGED = {"ema", "swa", "wa", "avg", "average", "averaged"}
_AUXILIARY = {"attacker", "teacher", "teacher1", "teacher2", "proxy", "unaveraged"}
_LATER = {"best", "init", "initial", "old"}


@dataclass(frozen=True)
class Weights:
    """The tensors of one network in a file.

    Attributes:
        where: path of their dictionary, empty for the file itself.
        prefix: of their keys.
        family: whose names they have.
        tensors: without the prefix.
        beside: the other tensors of that dictionary, by their whole keys.
        outer: what stands beside that dictionary, and in those around it.
    """

    where: str
    prefix: str
    family: Family
    tensors: dict[str, Tensor]
    beside: dict[str, Tensor]
    outer: Mapping[str, Any]

    @property
    def path(self) -> str:
        """Where they are, as ``--weights`` takes it."""
        return "/".join(part for part in (self.where, self.prefix.rstrip(".")) if part)


def networks(loaded: Any, path: object) -> list[Weights]:
    """Return the networks of known families in what a file holds, the usual one first.

    Averaged ones (EMA, SWA) come before others, best after last.

    Raises:
        Unreadable: there is none; says what there is.
    """
    if isinstance(loaded, Mapping) and {"spec", "model", "epoch"} <= set(loaded):
        raise Unreadable(
            f"{path} is a checkpoint of rofit: rofit eval takes it as it is"
        )
    weights = [w for place in _dictionaries(loaded) for w in _in(*place)]
    if not weights:
        raise Unreadable(
            f"{path} holds no network that rofit knows: {_summary(loaded)}"
        )
    return sorted(weights, key=_rank)


def chosen(weights: list[Weights], path: str) -> Weights:
    """Return the network at *path*, the usual one where it is empty.

    Raises:
        UserError: there is none at that path.
    """
    if not path:
        return weights[0]
    matching = [w for w in weights if w.path == path] or [
        w for w in weights if w.where == path
    ]
    if not matching:
        raise unknown("weights", path, [w.path or "(the file itself)" for w in weights])
    return matching[0]


def _dictionaries(
    value: Any, path: tuple[str, ...] = (), outer: Mapping[str, Any] | None = None
) -> Iterator[tuple[str, dict[str, Tensor], Mapping[str, Any]]]:
    """Yield every dictionary with tensors under texts, wherever it is in the value.

    With its path, and what stands in the dictionaries around it.
    """
    if len(path) > _DEEPEST:
        return
    if isinstance(value, (list, tuple)):
        value = {str(i): inner for i, inner in enumerate(value[:_LONGEST_LIST])}
    if not isinstance(value, Mapping):
        return
    named = {key: inner for key, inner in value.items() if isinstance(key, str)}
    tensors = {key: v for key, v in named.items() if isinstance(v, Tensor)}
    if tensors:
        bare = {_WRAPPERS.sub("", k).lstrip("."): v for k, v in tensors.items()}
        yield "/".join(path), bare, named if outer is None else outer
    around = {**(outer or {}), **named}
    for key, inner in named.items():
        yield from _dictionaries(inner, (*path, key), around)


def _in(
    where: str, tensors: dict[str, Tensor], outer: Mapping[str, Any]
) -> Iterator[Weights]:
    """Yield the networks of one dictionary, one a prefix."""
    families = _families(tensors)
    for prefix, family in families.items():
        others = tuple(p for p in families if p != prefix and p.startswith(prefix))
        inside = [
            k for k in tensors if k.startswith(prefix) and not k.startswith(others)
        ]
        yield Weights(
            where,
            prefix,
            family,
            {key[len(prefix) :]: tensors[key] for key in inside},
            {key: tensors[key] for key in tensors.keys() - set(inside)},
            outer,
        )


def _families(tensors: dict[str, Tensor]) -> dict[str, Family]:
    """Return prefix -> family of the networks whose marks are there."""
    families: dict[str, Family] = {}
    for family in FAMILIES:
        first = family.marks[0]
        for key in tensors:
            prefix = key.removesuffix(first)
            if key == first or (prefix != key and prefix.endswith(".")):
                if all(prefix + mark in tensors for mark in family.marks):
                    families.setdefault(prefix, family)
    return families


def _summary(loaded: Any) -> str:
    """Return what a file without a network holds."""
    if not isinstance(loaded, Mapping):
        return f"it is a {type(loaded).__name__}"
    if {"state", "param_groups"} <= set(loaded):
        return "it is the state of an optimizer, which lies beside the network's file"
    dictionaries = list(_dictionaries(loaded))
    if not dictionaries:
        return f"no tensors, only {quoted(list(loaded)[:5])}"
    where, tensors, _ = max(dictionaries, key=lambda place: len(place[1]))
    place = f"in {where} " if where else ""
    return f"the first of {len(tensors)} tensors {place}are {quoted(list(tensors)[:4])}"


def _rank(weights: Weights) -> tuple[int, int]:
    words = set(re.split(r"[/._]", weights.path.lower()))
    if words & _AUXILIARY:
        return 3, len(weights.prefix)
    if words & _AVERAGED:
        return 0, len(weights.prefix)
    return (2 if words & _LATER else 1), len(weights.prefix)
