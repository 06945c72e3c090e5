"""How a run came about: the recipe and the scale it is nearest to, and its command."""

import shlex
from functools import cache
from itertools import product
from typing import Any, NamedTuple

from rofit.settings.recipes import RECIPES, Recipe
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec

# What `rofit train` has flags of their own for.
_NAMED = frozenset(
    "method method_params labels_from weights_from dataset dataset_digest".split()
)

_LENGTHS = ("epsilon", "step_size")


class Origin(NamedTuple):
    """A recipe at a scale, and what of a run is otherwise.

    Attributes:
        recipe: its name, empty for none.
        scale: its name.
        base: every field, as recipe and scale have it.
        differs: field -> the run's value, where it is another.
    """

    recipe: str
    scale: str
    base: dict[str, Any]
    differs: dict[str, Any]


def nearest(spec: RunSpec) -> Origin:
    """Return the recipe and the scale from which the fewest fields of a run differ.

    Neither stands in a spec.json; the fields that `rofit train` has flags for (method,
    data set) are not compared, the first of equals is taken.
    """
    fields = spec.as_dict()
    origins = []
    for (recipe, scale), base in _bases().items():
        differs = {
            name: value
            for name, value in fields.items()
            if name not in _NAMED and base[name] != value
        }
        origins.append(Origin(recipe, scale, base, differs))
    return min(origins, key=lambda origin: len(origin.differs))


def command(spec: RunSpec, watched: set[str], known: set[str]) -> str:
    """Return the command that makes the run again.

    Args:
        spec: the run, without method parameters that have their default.
        watched: diagnostics that watched it.
        known: all diagnostics, which is what watches without a flag.
    """
    origin = nearest(spec)
    words = ["rofit", "train", "--method", spec.method]
    words += ["--labels", spec.labels_from] if spec.labels_from else []
    words += ["--weights", ",".join(spec.weights_from)] if spec.weights_from else []
    if spec.dataset_digest:
        words += ["--data", f"{spec.dataset}=PATH"]
    else:
        words += ["--dataset", spec.dataset]
    words += ["--recipe", origin.recipe] if origin.recipe else []
    words += ["--scale", origin.scale]
    settings = origin.differs | dict(spec.method_params)
    if "precision" in SCALES[origin.scale].changes:  # else the machine decides
        settings = {"precision": spec.precision} | settings
    for name, value in settings.items():
        words += ["--set", f"{name}={setting_text(value, name)}"]
    if watched and watched != known:
        words += [word for name in sorted(watched) for word in ("--watch", name)]
    return shlex.join(words)


def setting_text(value: Any, name: str = "") -> str:
    """Return the value of a field as ``--set`` reads it, lengths in 255ths.

    Examples:
        >>> setting_text(8 / 255, "epsilon"), setting_text([0.5, 0.75])
        ('8/255', '0.5,0.75')
        >>> setting_text(False), setting_text(0.2)
        ('false', '0.2')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(setting_text, value))
    if name in _LENGTHS:
        numerator = round(255 * value)
        if 0 < numerator < 255 and numerator / 255 == value:
            return f"{numerator}/255"
    return str(value)


@cache
def _bases() -> dict[tuple[str, str], dict[str, Any]]:
    recipes = {"": Recipe()} | RECIPES
    return {
        (recipe, scale): SCALES[scale].apply(recipes[recipe].apply(RunSpec())).as_dict()
        for recipe, scale in product(recipes, SCALES)
    }
