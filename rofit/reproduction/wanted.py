"""Which runs an analysis needs at a size, and which of them can be made."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rofit.data.known import DATASETS
from rofit.errors import NothingToDraw, UserError
from rofit.reproduction import catalog
from rofit.settings.scales import Scale, find_scale
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunStore


@dataclass(frozen=True)
class Request:
    """What is wanted of an analysis.

    Attributes:
        name: of the analysis.
        scale: its size.
        settings: overrides as text, field -> value.
        seeds: runs of each setting; the scale's number where None.
        data: name and digest of the data set that takes the place of the analysis's,
            and how it is shown; None leaves it.
    """

    name: str
    scale: str
    settings: dict[str, str] = field(default_factory=dict)
    seeds: int | None = None
    data: tuple[str, str, str] | None = None

    @property
    def folder(self) -> str:
        """The result's folder: the scale, and all that departs from it."""
        told = [self.scale]
        if self.data:
            told.append(f"{self.data[0]}-{self.data[1][:6]}")
        told += [f"{key}={value}" for key, value in sorted(self.settings.items())]
        if self.seeds is not None:
            told.append(f"seeds={self.seeds}")
        return "+".join(told).replace("/", "_")


def plan(request: Request) -> list[RunSpec]:
    """Return the runs that the analysis needs, at the wanted size.

    Raises:
        UserError: unknown analysis, scale or field; an override of a field that the
            analysis itself varies.
    """
    from rofit.methods.resolve import override_each

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
        name, digest, _ = request.data
        given = {"dataset": name, "dataset_digest": digest}
        named = list(dict.fromkeys(spec.dataset for spec in specs))
        # Any images take the place of the usual ones; others only those they are of.
        usual = named == [RunSpec().dataset]
        replaced = named[0] if usual else stands_for(name, named)
        sized = [
            new.replace(**given) if old.dataset == replaced else new
            for old, new in zip(specs, sized, strict=True)
        ]
    seeds = range(request.seeds or scale.seeds)
    wanted = override_each(sized, request.settings)
    return [spec.replace(seed=seed) for spec in wanted for seed in seeds]


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
    for each in datasets:
        if f"{name}-".startswith(f"{each}-"):
            return each
    raise NothingToDraw(
        f"the analysis is of {', '.join(datasets)}, and {name} is none of them; leave "
        "--data out to fetch them, or name a copy like one: cifar100-png"
    )


def available(
    request: Request, specs: list[RunSpec], store: RunStore, root: Path
) -> tuple[list[RunSpec], dict[str, str]]:
    """Return the runs whose data are there, and a sentence for each set that is not.

    Runs that are done need no data. Looking may fetch a data set.

    Args:
        request: what is wanted.
        specs: the runs of its plan.
        store: where runs are.
        root: folder of data sets.

    Raises:
        NothingToDraw: the one data set of the analysis is not there.
        UserError: one is there and cannot be read.
    """
    from rofit.running.parts import load_data

    absent: dict[str, str] = {}
    own = find_scale(request.scale).changes.get("dataset")
    compared = len({spec.dataset for spec in specs}) > 1
    undone = [s for s in specs if store.folder(s.run_id).state != "done"]
    for spec in {spec.dataset: spec for spec in undone}.values():  # one a data set
        if own and compared and spec.dataset != own and not spec.dataset_digest:
            absent[spec.dataset] = f"{spec.dataset} (scale {request.scale} is of {own})"
            continue
        if spec.dataset not in DATASETS and not spec.dataset_digest:
            absent[spec.dataset] = (
                f"{spec.dataset} (pass an archive of its class folders with --data, "
                f"called {spec.dataset}.tar)"
            )
            continue
        try:
            load_data(spec, root)
        except UserError as error:
            known = DATASETS.get(spec.dataset)
            if known is None or known.is_present(root):
                raise  # it is there, and something else is wrong with it
            if not compared:
                raise NothingToDraw(f"{request.name}: {error}") from None
            absent[spec.dataset] = (
                f"{spec.dataset} (not there: rofit data {spec.dataset} --fetch with a "
                "network, or --data with an archive of its class folders)"
            )
    there = [spec for spec in specs if spec.dataset not in absent]
    return there, absent


def varied_fields(specs: list[RunSpec]) -> set[str]:
    """Return the fields and method parameters in which the specs differ."""
    told = [spec.as_dict() | dict(spec.method_params) for spec in specs]
    names = {name for each in told for name in each}
    return {n for n in names if any(each.get(n) != told[0].get(n) for each in told)}


def about_data(request: Request, specs: list[RunSpec]) -> str:
    """Return the data set as results name it, with its label noise and the threats."""
    first = specs[0]
    names = {s.dataset: s.dataset for s in specs}
    if request.data and request.data[0] in names:
        names[request.data[0]] = request.data[2]
    shown = " / ".join(names.values())
    size = f", {first.train_size} training images" if first.train_size else ""
    shares = sorted({spec.label_noise for spec in specs})
    told = " / ".join(f"{share:.0%}" for share in shares)
    noise = f", {told} of training labels redrawn" if any(shares) else ""
    threats = {str(s.threat) if s.epsilon else "no attack": None for s in specs}
    return f"{shown}{size}{noise}, {' / '.join(threats)}"
