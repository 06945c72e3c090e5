"""Which runs an analysis needs at a size."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rofit.errors import NothingToDraw, UserError
from rofit.reproduction import catalog
from rofit.settings.scales import Scale, find_scale
from rofit.settings.spec import RunSpec

if TYPE_CHECKING:
    from rofit.data.folders import ClassFolders


@dataclass(frozen=True)
class Request:
    """An analysis at a size, with overrides.

    Attributes:
        name: of the analysis.
        scale: its size.
        settings: overrides as text, field -> value.
        seeds: runs of each setting; the scale's number where None.
        data: class folders that take the place of the analysis's data set; None
            leaves it.
    """

    name: str
    scale: str
    settings: dict[str, str] = field(default_factory=dict)
    seeds: int | None = None
    data: "ClassFolders | None" = None

    @property
    def folder(self) -> str:
        """The result's folder: the scale, and all that departs from it."""
        labels = [self.scale]
        if self.data:
            labels.append(f"{self.data.name}-{self.data.digest[:6]}")
        labels += [f"{key}={value}" for key, value in sorted(self.settings.items())]
        if self.seeds is not None:
            labels.append(f"seeds={self.seeds}")
        return "+".join(labels).replace("/", "_")


def plan(request: Request) -> list[RunSpec]:
    """Return the runs that the analysis needs, at the requested size.

    Raises:
        UserError: unknown analysis, scale or field; an override of a field that the
            analysis itself varies.
    """
    analysis = catalog.load_analysis(request.name)
    scale = find_scale(request.scale)
    specs = analysis.runs()
    varied = varied_fields(specs)
    for key in request.settings:
        if key in varied | {"seed"}:
            instead = "use --seeds" if key == "seed" else "leave it out"
            raise UserError(f"{request.name} varies {key} itself; {instead}")
    sized = [_sized(spec, scale, varied, specs[0].dataset) for spec in specs]
    if request.data:
        name = request.data.name
        replacement = {"dataset": name, "dataset_digest": request.data.digest}
        named = list(dict.fromkeys(spec.dataset for spec in specs))
        # Any images take the place of the usual ones; others only those they are of.
        usual = named == [RunSpec().dataset]
        replaced = named[0] if usual else stands_for(name, named)
        sized = [
            new.replace(**replacement) if old.dataset == replaced else new
            for old, new in zip(specs, sized, strict=True)
        ]
    seeds = range(request.seeds or scale.seeds)
    if request.settings:
        from rofit.methods.resolve import override_each  # imports torch

        sized = override_each(sized, request.settings)
    return [spec.replace(seed=seed) for spec in sized for seed in seeds]


def _sized(spec: RunSpec, scale: Scale, varied: set[str], first: str) -> RunSpec:
    """Return *spec* at a scale; of data sets that are compared, the first shrinks.

    Networks that are compared have each a small one of its kind.
    """
    but = varied - {"dataset"} if spec.dataset == first else varied
    if "model" in varied:
        small = scale.smaller.get(spec.model, spec.model)
        return scale.apply(spec, but=but | {"width"}).replace(model=small)
    return scale.apply(spec, but=but)


def stands_for(name: str, datasets: Iterable[str]) -> str:
    """Return which of an analysis's data sets a copy called *name* stands for.

    Raises:
        NothingToDraw: for none of them.

    Example:
        >>> stands_for("cifar100-png", ["cifar10", "cifar100"])
        'cifar100'
    """
    for dataset in datasets:
        if f"{name}-".startswith(f"{dataset}-"):
            return dataset
    raise NothingToDraw(
        f"the analysis is of {', '.join(datasets)}, and {name} is none of them; leave "
        "--data out to fetch them, or name a copy like one: cifar100-png"
    )


def varied_fields(specs: list[RunSpec]) -> set[str]:
    """Return the fields and method parameters in which the specs differ."""
    settings = [spec.as_dict() | dict(spec.method_params) for spec in specs]
    names = {name for setting in settings for name in setting}
    return {
        n
        for n in names
        if any(setting.get(n) != settings[0].get(n) for setting in settings)
    }


def describe_data(request: Request, specs: list[RunSpec]) -> str:
    """Return the data set as results name it, with its label noise and the threats."""
    first = specs[0]
    names = {s.dataset: s.dataset for s in specs}
    if request.data and request.data.name in names:
        names[request.data.name] = request.data.shown_as
    datasets = " / ".join(names.values())
    size = f", {first.train_size} training images" if first.train_size else ""
    shares = sorted({spec.label_noise for spec in specs})
    percentages = " / ".join(f"{share:.0%}" for share in shares)
    noise = f", {percentages} of training labels redrawn" if any(shares) else ""
    threats = {str(s.threat) if s.epsilon else "no attack": None for s in specs}
    return f"{datasets}{size}{noise}, {' / '.join(threats)}"
