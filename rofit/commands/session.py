"""What the flags of one command mean: where, how big, on what, for how long."""

import math
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console

from rofit.errors import UserError
from rofit.reproduction.wanted import Request
from rofit.settings.knobs import parse_pair, parse_value
from rofit.settings.recipes import find_recipe
from rofit.settings.scales import find_scale
from rofit.settings.spec import RunSpec
from rofit.store.places import Places
from rofit.store.runs import RunStore, read_spec


@dataclass(frozen=True)
class Flags:
    """The flags that run, reproduce and train share, as typed."""

    scale: str | None = None
    settings: tuple[str, ...] = ()
    seeds: int | None = None
    store: str | None = None
    out: str | None = None
    data: str | None = None
    device: str = "auto"
    engine: str = "auto"
    jobs: int = 1
    deterministic: bool = False
    dry_run: bool = False
    redraw: bool = False
    max_minutes: float | None = None
    as_json: bool = False
    quiet: bool = False
    debug: bool = False


@dataclass
class Session:
    """The flags, understood.

    Attributes:
        places: folders of runs, results and data.
        settings: overrides as text, field -> value.
        data: name, digest and description of the data set of ``--data``.
    """

    flags: Flags
    console: Console
    places: Places = field(init=False)
    settings: dict[str, str] = field(init=False)
    data: tuple[str, str, str] | None = field(init=False, default=None)
    begun: float = field(init=False, default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Understand the flags, opening ``--data`` where it is given.

        Raises:
            UserError: a scale, a pair or a path that cannot be used.
        """
        flags = self.flags
        self.places = Places.given(flags.store, flags.out)
        self.settings = dict(parse_pair(text) for text in flags.settings)
        if flags.scale:
            find_scale(flags.scale)
        if flags.max_minutes is not None and math.isnan(flags.max_minutes):
            raise UserError("--max-minutes expects a number of minutes, got nan")
        if flags.data == "":
            raise UserError("--data expects a path, got nothing")
        if flags.data:
            self._open_data(Path(flags.data))

    @cached_property
    def scale(self) -> str:
        """Name of the scale; asks torch for a GPU only where nobody named one."""
        return self.flags.scale or _default_scale()

    @property
    def store(self) -> RunStore:
        """The store of runs."""
        return RunStore(self.places.store)

    def minutes_left(self) -> float | None:
        """Return what is left of ``--max-minutes``; None without it."""
        given = self.flags.max_minutes
        if given is None:
            return None
        return max(0.0, given - (time.monotonic() - self.begun) / 60)

    def about_scale(self) -> str:
        """Return what the scale is, and why it was taken if nobody named it."""
        about = f"scale {self.scale}: {find_scale(self.scale).about}"
        if self.flags.scale:
            return about
        here = "a" if self.scale == "gpu" else "no"
        return (
            f"{about} (taken because there is {here} CUDA device; --scale changes it)"
        )

    def request(self, name: str) -> Request:
        """Return what these flags want of an analysis."""
        return Request(name, self.scale, self.settings, self.flags.seeds, self.data)

    def specs(
        self,
        method: str | None,
        dataset: str | None,
        recipe: str | None,
        file: Path | None,
        labels: str | None = None,
        weights: str | None = None,
    ) -> list[RunSpec]:
        """Return the runs that ``train`` was asked for, one a seed.

        A spec.json is taken as it is unless a scale is named.
        """
        from rofit.methods.resolve import override, resolve

        spec = read_spec(file)[0] if file else RunSpec()
        if recipe:
            spec = find_recipe(recipe).apply(spec)
        if self.flags.scale or not file:
            spec = find_scale(self.scale).apply(spec)
        if self.data:
            spec = spec.replace(dataset=self.data[0], dataset_digest=self.data[1])
        named = {"method": method, "dataset": dataset, "labels_from": labels}
        spec = spec.replace(**{k: v for k, v in named.items() if v})
        if weights:
            told = parse_value("weights", weights, tuple[str, ...])
            spec = spec.replace(weights_from=told)
        spec = override(resolve(spec), self.settings)
        if self.flags.seeds is None:
            return [spec]
        if "seed" in self.settings:
            raise UserError("--seeds and --set seed exclude each other: give one")
        return [spec.replace(seed=seed) for seed in range(self.flags.seeds)]

    def train(
        self,
        specs: list[RunSpec],
        diagnostics: tuple[str, ...],
        needed: tuple[str, ...],
        keep: frozenset[int] = frozenset(),
    ) -> bool:
        """Train the runs that are not done, in order; say whether all are.

        All are watched by *diagnostics*; *needed* are those that must be measurable.
        """
        missing = [s for s in specs if self.store.folder(s.run_id).state != "done"]
        if not missing:
            return True
        from rofit.methods.resolve import all_teachers
        from rofit.running.jobs import TrainingJob, work_all

        first = all_teachers(missing)
        if first and not self.train(first, diagnostics, ()):
            return False
        missing = [spec for spec in missing if spec not in first]
        jobs = [
            TrainingJob(
                spec,
                self.store.folder(spec.run_id),
                diagnostics,
                needed,
                deterministic=self.flags.deterministic,
                keep=keep,
                label=f"{number}/{len(missing)} {spec.method} seed {spec.seed}",
                **self._where(),
            )
            for number, spec in enumerate(missing, start=1)
        ]
        return work_all(jobs, self.flags.jobs, self.minutes_left(), self.console)

    def evaluate(self, specs: list[RunSpec], attacks: tuple[str, ...]) -> bool:
        """Evaluate best and last of every run, as far as the scale has the time."""
        from rofit.running.evaluation_jobs import evaluation_jobs
        from rofit.running.jobs import work_all

        jobs = evaluation_jobs(
            specs,
            self.store,
            attacks,
            longest=find_scale(self.scale).longest,
            **self._where(),
        )
        return work_all(jobs, self.flags.jobs, self.minutes_left(), self.console)

    def _where(self) -> dict[str, Any]:
        flags = self.flags
        about = {"device": flags.device, "engine": flags.engine, "quiet": flags.quiet}
        return about | {"data": self.places.data}

    def _open_data(self, path: Path) -> None:
        from rofit.data import datasets, folders

        if datasets.holds_known(path):
            self.places = Places(self.places.store, self.places.results, path)
            return
        found = folders.read_class_folders(path, cache=self.places.data)
        self.data = (found.name, found.digest, found.shown_as)


def _default_scale() -> str:
    import torch

    return "gpu" if torch.cuda.is_available() else "demo"
