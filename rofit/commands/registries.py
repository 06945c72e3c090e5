"""What there is, as rows of `rofit list`: a function a registry."""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from rofit.reproduction import catalog
from rofit.settings.knobs import knob_types
from rofit.settings.recipes import AS_RELEASED, RECIPES
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec

Rows = list[dict[str, Any]]


def analyses() -> Rows:
    """Return a row an analysis: which item of the paper it is, and what of."""
    modules = {name: catalog.load_analysis(name) for name in catalog.analysis_names()}
    return [
        {
            "name": name,
            "paper": module.PAPER,
            "status": module.STATUS,
            "about": catalog.summary(module),
        }
        for name, module in modules.items()
    ]


def methods() -> Rows:
    """Return a row a method: which parts it brings, and its parameters."""
    from rofit.methods import METHODS

    return [
        {
            "name": name,
            "about": catalog.summary(module),
            "brings": ", ".join(sorted(module.BRINGS)),
            "parameters": _parameters(module.Params),
        }
        for name, module in METHODS.items()
    ]


def datasets() -> Rows:
    """Return a row a data set: how many images of which shape."""
    from rofit.data.datasets import DATASETS

    return [{"name": name, "images": known.size} for name, known in DATASETS.items()]


def models() -> Rows:
    """Return a row a network: its parameters, for ten classes of colour images."""
    import torch

    from rofit.models import MODELS, RESIZABLE, build_model

    rows = []
    for name in MODELS:
        with torch.device("meta"):
            model = build_model(name, channels=3, image_size=32, n_classes=10)
        n = sum(parameter.numel() for parameter in model.parameters())
        settable = "width, blocks" if name in RESIZABLE else ""
        rows.append({"name": name, "parameters": f"{n:,}", "settable": settable})
    return rows


def diagnostics() -> Rows:
    """Return a row a diagnostic: its metrics, and what it costs."""
    from rofit.diagnostics import DIAGNOSTICS

    return [
        {"name": name, "metrics": ", ".join(kind.columns), "cost": kind.cost}
        for name, kind in DIAGNOSTICS.items()
    ]


def attacks() -> Rows:
    """Return a row an attack of evaluations."""
    from rofit.evaluation.cases import ATTACKS

    return [
        {
            "name": name,
            "norms": ", ".join(attack.norms),
            "about": attack.description,
        }
        for name, attack in ATTACKS.items()
    ]


def augmentations() -> Rows:
    """Return a row an augmentation, a value of the field ``augment``: its layers."""
    from rofit.augmentation import AUGMENTATIONS, find_augmentation

    layers = {n: find_augmentation(RunSpec(augment=n)) for n in AUGMENTATIONS}
    return [
        {"name": name, "layers": ", ".join(type(layer).__name__ for layer in row)}
        for name, row in layers.items()
    ]


def schedules() -> Rows:
    """Return a row a schedule of the learning rate, a value of ``schedule``."""
    from rofit.training.schedules import SCHEDULES

    return _documented(SCHEDULES)


def sinks() -> Rows:
    """Return a row a program that ``--log-to`` feeds."""
    from rofit.sinks import SINKS

    return _documented(SINKS)


def recipes() -> Rows:
    """Return a row a published recipe, and one for those that methods have."""
    from rofit.methods.released import RELEASED

    rows = [
        {"name": name, "source": recipe.source, "differs": recipe.differs or "no"}
        for name, recipe in RECIPES.items()
    ]
    source = f"the method's released code: {', '.join(RELEASED)}"
    differs = "as each method says (docs/methods.md)"
    return [*rows, {"name": AS_RELEASED, "source": source, "differs": differs}]


def scales() -> Rows:
    """Return a row a scale."""
    return [
        {
            "name": name,
            "seeds": scale.seeds,
            "about": scale.about,
            "takes": scale.takes,
        }
        for name, scale in SCALES.items()
    ]


KINDS: dict[str, Callable[[], Rows]] = {
    "analyses": analyses,
    "methods": methods,
    "data sets": datasets,
    "models": models,
    "diagnostics": diagnostics,
    "attacks": attacks,
    "augmentations": augmentations,
    "schedules": schedules,
    "sinks": sinks,
    "recipes": recipes,
    "scales": scales,
}


def _parameters(params: type) -> str:
    default = params()
    return ", ".join(f"{key}={getattr(default, key)}" for key in knob_types(params))


def _documented(things: Mapping[str, Callable[..., Any] | ModuleType]) -> Rows:
    """Return a row a thing with the first sentence of its docstring."""
    rows = []
    for name, thing in things.items():
        summary = (thing.__doc__ or "").partition("\n\n")[0]
        about = " ".join(summary.split()).removeprefix("Return ")
        rows.append({"name": name, "about": about})
    return rows
