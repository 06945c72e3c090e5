"""From an analysis to its picture: planned runs, table, figure, claims, manifest."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from rofit import catalog
from rofit.claims import as_plain, markdown
from rofit.environment import commit, versions
from rofit.errors import UserError
from rofit.logs import load_logs, load_samples
from rofit.scales import find_scale
from rofit.spec import RunSpec
from rofit.store import RunStore, write_text


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
    from rofit.resolve import override_each  # imports torch, so only when wanted

    analysis = catalog.load_analysis(request.name)
    scale = find_scale(request.scale)
    specs = analysis.runs()
    varied = varied_fields(specs)
    for key in request.settings:
        if key in varied | {"seed"}:
            instead = "use --seeds" if key == "seed" else "leave it out"
            raise UserError(f"{request.name} varies {key} itself; {instead}")
    if request.data and "dataset" in varied:
        raise UserError(
            f"{request.name} compares data sets; --data cannot replace them"
        )
    sized = [scale.apply(spec, but=varied) for spec in specs]
    if request.data:
        name, digest, _ = request.data
        sized = [s.replace(dataset=name, dataset_digest=digest) for s in sized]
    seeds = range(request.seeds or scale.seeds)
    wanted = override_each(sized, request.settings)
    return [spec.replace(seed=seed) for spec in wanted for seed in seeds]


def varied_fields(specs: list[RunSpec]) -> set[str]:
    """Return the fields and method parameters in which the specs differ."""
    told = [spec.as_dict() | dict(spec.method_params) for spec in specs]
    names = {name for each in told for name in each}
    return {n for n in names if any(each.get(n) != told[0].get(n) for each in told)}


def publish(
    request: Request, specs: list[RunSpec], store: RunStore, folder: Path
) -> None:
    """Write table, picture, claims and manifest from the logs into *folder*."""
    analysis = catalog.load_analysis(request.name)
    ids = [spec.run_id for spec in specs]
    wanted = getattr(analysis, "SAMPLES", ())
    samples = [load_samples(store.root, name, ids) for name in wanted]
    evaluated = bool(catalog.evaluations(request.name))
    logs = load_logs(store.root, ids, evaluations=evaluated)
    table = analysis.table(logs, *samples)
    _check_columns(request.name, table, analysis.COLUMNS)
    table.insert(0, "data", about_data(request, specs))
    table.insert(0, "scale", request.scale)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"results cannot be written to {folder} ({error.strerror}); choose --out"
        ) from None
    table.to_csv(folder / "table.csv", index=False)
    claims = analysis.claims(table)
    told = [as_plain(claim) for claim in claims]
    write_text(folder / "claims.json", json.dumps(told, indent=1) + "\n")
    write_text(folder / "claims.md", markdown(claims))
    write_text(
        folder / "manifest.json", json.dumps(_manifest(request, specs), indent=1) + "\n"
    )
    draw(request.name, folder)


def draw(name: str, folder: Path) -> None:
    """Draw the saved table: a picture as PDF and PNG, a table as Markdown and LaTeX.

    Raises:
        UserError: there is no table in the folder.
    """
    if not (folder / "table.csv").exists():
        raise UserError(f"no table.csv in {folder}; run without --redraw first")
    table, figure = pd.read_csv(folder / "table.csv"), catalog.load_figure(name)
    if hasattr(figure, "render"):
        for kind, text in figure.render(table).items():
            write_text(folder / f"{name}.{kind}", text)
    else:
        catalog.load_figure("_style").save(figure.draw(table), folder / name)


def about_data(request: Request, specs: list[RunSpec]) -> str:
    """Return the data set as results name it, with its label noise and the threats."""
    first = specs[0]
    shown = request.data[2] if request.data else first.dataset
    size = f", {first.train_size} training images" if first.train_size else ""
    shares = sorted({spec.label_noise for spec in specs})
    told = " / ".join(f"{share:.0%}" for share in shares)
    noise = f", {told} of training labels redrawn" if any(shares) else ""
    threats = {str(s.threat) if s.epsilon else "no attack": None for s in specs}
    return f"{shown}{size}{noise}, {' / '.join(threats)}"


def result_folder(request: Request, out: Path) -> Path:
    """Return where the results of a request are."""
    return out / request.folder / request.name


def _check_columns(name: str, table: pd.DataFrame, declared: dict[str, str]) -> None:
    if list(table.columns) != list(declared):
        raise UserError(
            f"{name}.table must have the columns {list(declared)}, has "
            f"{list(table.columns)}"
        )


def _manifest(request: Request, specs: list[RunSpec]) -> dict[str, Any]:
    return {
        "analysis": request.name,
        "scale": request.scale,
        "overrides": request.settings,
        "seeds": request.seeds,
        "data": about_data(request, specs),
        "runs": [spec.run_id for spec in specs],
        "commit": commit(),
        "versions": versions(),
    }
