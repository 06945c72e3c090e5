"""Which runs an analysis needs at a size."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rofit.errors import NothingToDraw, UserError
from rofit.names import check_name
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
        data: class folders; those that are copies of the analysis's data sets take
            their places.
        known: data sets in torchvision's folder, where that was given: of them a scale
            of another data set (digits) is made, as of copies.
        beside: ids of runs that are drawn beside the analysis's own.
    """

    name: str
    scale: str
    settings: dict[str, str] = field(default_factory=dict)
    seeds: int | None = None
    data: "tuple[ClassFolders, ...]" = ()
    known: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The result's folder: the scale, and all that departs from it."""
        labels = [self.scale]
        labels += [f"{c.name}-{c.digest[:6]}" for c in copies(self).values()]
        labels += kept_datasets(self)
        labels += [f"{key}={value}" for key, value in sorted(self.settings.items())]
        if self.seeds is not None:
            labels.append(f"seeds={self.seeds}")
        if self.beside:
            ends = ",".join(run_id[-8:] for run_id in self.beside)
            labels.append(f"beside={ends}")
        return "+".join(labels).replace("/", "_")


def plan(request: Request) -> list[RunSpec]:
    """Return the runs that the analysis needs, at the requested size.

    Raises:
        UserError: unknown analysis, scale or field; an override of a field that the
            analysis itself varies; so many that no folder can be called by them.
    """
    analysis = catalog.load_analysis(request.name)
    scale = find_scale(request.scale)
    specs = analysis.runs()
    varied = varied_fields(specs)
    for key in request.settings:
        if key in varied | {"seed"}:
            instead = "use --seeds" if key == "seed" else "leave it out"
            raise UserError(f"{request.name} varies {key} itself; {instead}")
    kept = kept_datasets(request)
    sized = [_sized(spec, scale, varied, specs[0].dataset, kept) for spec in specs]
    for original, copy in copies(request).items():
        replacement = {"dataset": copy.name, "dataset_digest": copy.digest}
        sized = [
            new.replace(**replacement) if old.dataset == original else new
            for old, new in zip(specs, sized, strict=True)
        ]
    seeds = range(request.seeds or scale.seeds)
    if request.settings:
        from rofit.methods.resolve import override_each  # imports torch

        sized = override_each(sized, request.settings)
    check_name(
        "the results' folder, which is called by all overrides,",
        request.folder,
        longest=255,
    )
    return [spec.replace(seed=seed) for spec in sized for seed in seeds]


def _sized(
    spec: RunSpec, scale: Scale, varied: set[str], first: str, kept: list[str]
) -> RunSpec:
    """Return *spec* at a scale; of data sets that are compared, the first shrinks.

    Networks that are compared have each a small one of its kind.
    """
    but = varied - {"dataset"} if spec.dataset == first else varied
    but |= {"dataset"} if spec.dataset in kept else set()
    if "model" in varied:
        small = scale.smaller.get(spec.model, spec.model)
        return scale.apply(spec, but=but | {"width"}).replace(model=small)
    return scale.apply(spec, but=but)


def copies(request: Request) -> "dict[str, ClassFolders]":
    """Return the analysis's data sets whose places copies of the request take.

    A single copy takes the place of CIFAR-10 whatever it is of, where the analysis is
    of that alone. Copies of other data sets are left to other analyses.

    Raises:
        NothingToDraw: there are copies, and the analysis is of none of them.
        UserError: two copies of one data set.
    """
    if not request.data:
        return {}
    specs = catalog.load_analysis(request.name).runs()
    datasets = list(dict.fromkeys(spec.dataset for spec in specs))
    usual = datasets == [RunSpec().dataset]
    if usual and len(request.data) == 1 and not request.data[0].original:
        return {datasets[0]: request.data[0]}
    chosen: dict[str, ClassFolders] = {}
    for dataset in datasets:
        same = [copy for copy in request.data if copy.is_of(dataset)]
        if len(same) > 1:
            names = " and ".join(copy.name for copy in same)
            raise UserError(f"--data has {dataset} more than once: {names}")
        if same:
            chosen[dataset] = same[0]
    if not chosen:
        others = ", ".join(copy.original or copy.name for copy in request.data)
        raise NothingToDraw(
            f"the analysis is of {', '.join(datasets)}, and {others} is none of them; "
            "leave --data out to fetch them, or say what a copy is of: "
            f"--data {datasets[-1]}=PATH"
        )
    return chosen


def kept_datasets(request: Request) -> list[str]:
    """Return the analysis's data sets that a scale of another one leaves as they are.

    They are in the folder that the user gave.

    Raises:
        NothingToDraw: a folder was given, the scale is of a data set of its own, and
            the folder has none of the analysis's.
    """
    scale_dataset = find_scale(request.scale).changes.get("dataset")
    if not request.known or not scale_dataset or "dataset" in request.settings:
        return []
    specs = catalog.load_analysis(request.name).runs()
    datasets = list(dict.fromkeys(spec.dataset for spec in specs))
    kept = [dataset for dataset in datasets if dataset in request.known]
    if not kept:
        raise NothingToDraw(
            f"the analysis is of {', '.join(datasets)}, and the folder of --data holds "
            f"{', '.join(request.known)}; leave --data out for {scale_dataset}, which "
            f"scale {request.scale} is of"
        )
    return kept


def varied_fields(specs: list[RunSpec]) -> set[str]:
    """Return the fields and method parameters in which the specs differ."""
    settings = [spec.as_dict() | dict(spec.method_params) for spec in specs]
    names = {name for setting in settings for name in setting}
    return {
        n
        for n in names
        if any(setting.get(n) != settings[0].get(n) for setting in settings)
    }


def dataset_names(request: Request, specs: list[RunSpec]) -> list[str]:
    """Return the data sets that runs learn from, as results name them, in order."""
    shown = {copy.name: copy.shown_as for copy in request.data}
    beyond = beyond_scale(request, specs)
    names = dict.fromkeys(s.dataset for s in specs if s.dataset not in beyond)
    return [shown.get(name, name) for name in names]


def beyond_scale(request: Request, specs: list[RunSpec]) -> set[str]:
    """Return which of the data sets that are compared a scale of one set leaves out."""
    scale_dataset = find_scale(request.scale).changes.get("dataset")
    ours = {spec.dataset for spec in specs}
    if scale_dataset is None or len(ours) == 1:
        return set()
    given = {spec.dataset for spec in specs if spec.dataset_digest}
    given.update(kept_datasets(request))
    return ours - given - {scale_dataset}


def describe_data(request: Request, specs: list[RunSpec]) -> str:
    """Return the data set as results name it, with its label noise and the threats."""
    first = specs[0]
    datasets = " / ".join(dataset_names(request, specs))
    size = f", {first.train_size} training images" if first.train_size else ""
    shares = sorted({spec.label_noise for spec in specs})
    percentages = " / ".join(f"{share:.0%}" for share in shares)
    noise = f", {percentages} of training labels redrawn" if any(shares) else ""
    return f"{datasets}{size}{noise}, {threat_names(specs)}"


def threat_names(specs: Iterable[RunSpec]) -> str:
    """Return the threats of runs as results name them."""
    threats = {str(s.threat) if s.epsilon else "no attack": None for s in specs}
    return " / ".join(threats)
