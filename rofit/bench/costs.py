"""What things cost: methods, diagnostics, evaluation, and how the step grows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from rofit.attacks.geometry import start
from rofit.bench.problem import Ours, bench_spec, digits_32
from rofit.bench.timing import Times, interleaved
from rofit.diagnostics import DIAGNOSTICS
from rofit.diagnostics.diagnostic import StepView
from rofit.evaluation.accuracy import measure_accuracy
from rofit.methods import METHODS
from rofit.running.components import device_name, load_data
from rofit.seeding import generator
from rofit.settings.spec import RunSpec
from rofit.training.engine import make_attack
from rofit.training.process import prepare

Row = dict[str, Any]
ROUNDS = 15


def step_times(
    specs: list[RunSpec], root: Path, *, device: torch.device, engine: str
) -> pd.DataFrame:
    """Return the seconds of a training step of each run, late in its schedule.

    In one process, ROUNDS rounds, every run once a round; on the runs' own data and
    batch size, few images being enough.

    Returns:
        Columns method, round, seconds, batch_size, device, engine.
    """
    prepare(specs[0].precision)
    ways: dict[str, Ours] = {}
    for spec in specs:
        if spec.method in ways:
            continue  # another seed of it
        few = {"train_size": 4 * spec.batch_size, "val_size": 0, "test_size": 16}
        data = load_data(spec, root)
        ways[spec.method] = Ours(spec.replace(**few), data, device, engine)
    for way in ways.values():
        way.step()
    steps: dict[str, Callable[[], object]] = {n: w.step for n, w in ways.items()}
    times = interleaved(steps, rounds=ROUNDS, device=device)
    common = {"batch_size": specs[0].batch_size, "device": device_name(device)}
    common["engine"] = engine
    return pd.DataFrame(
        [
            {"method": name, "round": number, "seconds": seconds} | common
            for name, timing in times.items()
            for number, seconds in enumerate(timing.seconds)
        ]
    )


class Costs:
    """The tables of one network, engine and device."""

    def __init__(
        self,
        model: str,
        batch_size: int,
        *,
        engine: str,
        rounds: int,
        device: torch.device,
    ) -> None:
        """Fix what is common to all tables; precision is bf16."""
        self.model, self.batch_size = model, batch_size
        self.engine, self.rounds, self.device = engine, rounds, device
        self.data = digits_32()

    def methods(self) -> list[Row]:
        """Return each method's step, late in its run, over that of pgd_at."""
        ways = {name: self._ours(method=name) for name in METHODS}
        times = self._times({name: way.step for name, way in ways.items()})
        return [
            self._common(method=name)
            | {
                "images/s": round(self.batch_size / timing.median, 1),
                "x the time of pgd_at": round(times["pgd_at"].times_faster(timing), 2),
                "spread %": round(100 * timing.spread, 1),
            }
            for name, timing in times.items()
        ]

    def diagnostics(self) -> list[Row]:
        """Return the time of diagnostics of a step, and their share of it."""
        ours = self._ours()
        ours.step()
        batch, _ = ours.held
        with torch.no_grad():
            logits = ours.run.engine.frozen(batch.x)
        soft = ours.run.method.labels.current(batch.index, batch.y)
        view = StepView(ours.run.model, logits, batch.y, soft, logits.sum())
        ways: dict[str, Callable[[], object]] = {"the step": ours.step}
        of_steps = {n: d for n, d in DIAGNOSTICS.items() if not hasattr(d, "when")}
        for name, kind in of_steps.items():
            ways[name] = lambda kind=kind: kind().measure(view)  # type: ignore[misc]
        times = self._times(ways)
        step = times.pop("the step").median
        return [
            self._common(diagnostic=name)
            | {
                "ms a step": round(1e3 * timing.median, 3),
                "% of the step": round(100 * timing.median / step, 2),
            }
            for name, timing in times.items()
        ]

    def evaluation(self) -> list[Row]:
        """Return the images a second of a PGD-20 evaluation on 500 images."""
        ours = self._ours()
        network, spec = ours.run.engine.frozen, ours.run.spec
        x, y = (
            ours.run.curves.held_out["test"].unit(),
            ours.run.curves.held_out["test"].y,
        )
        begin = start(spec.threat, x.shape, generator(0, "bench")).to(self.device)
        ways: dict[str, Callable[[], object]] = {}
        for engine in dict.fromkeys(("eager", self.engine)):
            captured = ours.run.graphs is not None
            attack = make_attack(spec, 20, engine, captured=captured)
            ways[engine] = lambda attack=attack: measure_accuracy(  # type: ignore[misc]
                network, x, y, attack=attack, start=begin
            )
        return [
            self._common(engine=name)
            | {"PGD-20 images/s": round(len(y) / timing.median, 1)}
            for name, timing in self._times(ways).items()
        ]

    def growth(self) -> list[Row]:
        """Return the step's time over attack steps, width and batch size."""
        changes: list[Row] = [{"attack_steps": n} for n in (0, 1, 5, 10, 20)]
        changes += [{"width": n} for n in (8, 16, 32, 64)]
        changes += [{"batch_size": n} for n in (16, 32, 64, 128)]
        rows = []
        for change in changes:
            way = self._ours(**change)
            times = self._times({"step": way.step})["step"]
            size = way.run.spec.batch_size
            ((field, value),) = change.items()
            common = {"model": self.model, "varied": field, "value": value}
            step = {"ms a step": round(1e3 * times.median, 1)}
            rows.append(common | step | {"images/s": round(size / times.median, 1)})
        return rows

    def _ours(self, **changes: object) -> Ours:
        settings = {"batch_size": self.batch_size, "precision": "bf16"} | changes
        spec = bench_spec(self.model, **settings)  # type: ignore[arg-type]
        return Ours(spec, self.data, self.device, self.engine)

    def _times(self, ways: dict[str, Callable[[], object]]) -> dict[str, Times]:
        for call in ways.values():
            call()
        return interleaved(ways, rounds=self.rounds, device=self.device)

    def _common(self, **more: str) -> Row:
        return {"model": self.model, "batch": self.batch_size} | more
