"""`rofit sweep`: a grid of settings as runs, one table, the best by validation."""

import math
import warnings
from dataclasses import replace
from typing import Any

import click
import pandas as pd

from rofit.commands import inventory
from rofit.commands.answers import answer, say, unfinished
from rofit.commands.cluster import Cluster, with_cluster
from rofit.commands.flags import with_sweep_flags
from rofit.commands.session import Session
from rofit.commands.training import spec_of, train_missing, with_run_choices
from rofit.errors import Remark, UserError
from rofit.reproduction.plan import threat_names
from rofit.settings.knobs import parse_pair, parse_value
from rofit.settings.scales import find_scale
from rofit.settings.spec import RunSpec
from rofit.sweeps.grid import (
    MOST_RUNS,
    check_number_of_runs,
    read_values,
    settings_of,
)
from rofit.sweeps.outcomes import MEASURES, table
from rofit.sweeps.publish import Sweep, publish


@click.command()
@with_run_choices
@click.option("--watch", multiple=True, help="Diagnostic [all].")
@click.option(
    "--budget",
    type=click.IntRange(1, MOST_RUNS),
    help="Draw so many settings (Sobol's sequence) [all].",
)
@with_sweep_flags
@with_cluster
def sweep(
    session: Session,
    cluster: Cluster | None,
    budget: int | None,
    watch: tuple[str, ...],
    **choices: str | None,
) -> int:
    """Train a grid of settings (--set r=0.5,0.8 --set seed=0..4), one table of them.

    The best setting is chosen on validation images.
    """
    diagnostics = inventory.diagnostics(watch)
    swept = _read(session, budget, choices)
    as_json, dry_run = session.flags.as_json, session.flags.dry_run
    if not as_json:
        click.echo(_size(session, swept))
    if not dry_run:
        options = {"diagnostics": diagnostics, "required": watch}
        swept = _trained(session, cluster, swept, **options)
    folders = [session.store.folder(spec.run_id) for spec in swept.specs]
    if dry_run or any(folder.state != "done" for folder in folders):
        rows = inventory.run_rows(list(zip(folders, swept.specs, strict=True)))
        answer({"runs": rows}, as_json)
        return 0 if dry_run else unfinished()
    _answer(session, swept)
    return 0


def _trained(
    session: Session, cluster: Cluster | None, swept: Sweep, **options: Any
) -> Sweep:
    """Train what is missing; return the sweep without settings that diverge.

    Raises:
        Diverged: a run of every setting diverges.
    """
    from rofit.training.divergence import Diverged

    try:
        train_missing(session, cluster, swept.specs, **options)
    except Diverged as error:
        whole = [runs for runs in swept.settings if _are_done(session, runs)]
        if not whole:
            raise
        text = f"settings with a run that diverges are left out: {error}"
        warnings.warn(text, category=Remark, stacklevel=2)
        lost = [run.run_id for run in swept.specs if not _are_done(session, [run])]
        return replace(swept, settings=whole, diverged=lost)
    return swept


def _are_done(session: Session, runs: list[RunSpec]) -> bool:
    return all(session.store.folder(run.run_id).state == "done" for run in runs)


def _read(
    session: Session, budget: int | None, choices: dict[str, str | None]
) -> Sweep:
    """Return the sweep that the flags name; every run is one that train would make.

    Raises:
        UserError: nothing is swept, a value that cannot be used, two settings that are
            one and the same run, no validation images, or too many runs.
    """
    values = read_values(parse_pair(text) for text in session.flags.settings)
    scale = find_scale(session.scale)
    if session.flags.seeds and "seed" in values:
        raise UserError("--seeds and --set seed exclude each other: give one")
    counted = tuple(map(str, range(session.flags.seeds or scale.seeds)))
    seeds = values.pop("seed", counted)
    several = {field: texts for field, texts in values.items() if len(texts) > 1}
    if not several:
        raise UserError("a sweep varies a field or more: --set FIELD=VALUE,VALUE")
    settings = settings_of(several, budget)
    check_number_of_runs(len(settings), len(seeds))
    numbers = [parse_value("seed", seed, int) for seed in seeds]
    first = {"seed": seeds[0]} | {field: texts[0] for field, texts in values.items()}
    specs: dict[str, str] = {}  # run id -> the setting, in words
    runs = []
    for setting in settings:
        spec = spec_of(session, None, first | setting, **choices)
        runs.append([spec.replace(seed=number) for number in numbers])
        words = ", ".join(f"{field}={text}" for field, text in setting.items())
        for run in runs[-1]:
            if run.run_id in specs:
                other = specs[run.run_id]
                if other == words:
                    raise UserError(f"seed {run.seed} is there twice; give it once")
                raise UserError(f"{other} and {words} are the same run; give one")
            specs[run.run_id] = words
        if not spec.val_size:
            raise UserError(
                "a sweep chooses on validation images, and val_size is 0; --set "
                "val_size=1000 holds some of the training images out"
            )
    return Sweep(several, budget, session.scale, _data(session, runs), runs)


def _data(session: Session, runs: list[list[RunSpec]]) -> str:
    """Return the data sets, as results name them, and the threats."""
    copies = {copy.name: copy.shown_as for copy in session.data}
    specs = [setting[0] for setting in runs]
    names = dict.fromkeys(copies.get(spec.dataset, spec.dataset) for spec in specs)
    return f"{' / '.join(names)}, {threat_names(specs)}"


def _size(session: Session, swept: Sweep) -> str:
    """Return what the sweep is of, and how many settings and runs."""
    seeds = len(swept.settings[0])
    text = session.scale_text([swept.data], seeds=seeds, takes="")
    settings, every = (
        len(swept.settings),
        math.prod(len(texts) for texts in swept.values.values()),
    )
    drawn = f" of {every:,}, drawn" if settings < every else ""
    return f"{text}; {settings:,} settings{drawn}, {len(swept.specs):,} runs"


def _answer(session: Session, swept: Sweep) -> None:
    """Publish the sweep, and print its settings, the best one and the files."""
    fields = list(swept.values)
    settings = table(session.places.store, swept.run_ids, fields)
    folder = publish(swept, settings, session.places.results)
    rows = [_row(setting, fields) for _, setting in settings.iterrows()]
    best = _best(settings, fields, len(swept.settings))
    paths = {"table": str(folder / "table.csv"), "picture": str(folder / "sweep.png")}
    if session.flags.as_json:
        return answer({"settings": rows, "best": best} | paths, True)
    answer({"settings: robust accuracy, %, and 95 % intervals": rows}, False)
    say(best, highlight=False, markup=False)
    for name, path in paths.items():
        say(f"{name:8} {path}", soft_wrap=True, highlight=False)


def _row(setting: "pd.Series[Any]", fields: list[str]) -> dict[str, Any]:
    """Return a setting as people read it: None where there is no number."""
    row: dict[str, Any] = {field: _plain(setting[field]) for field in fields}
    row["seeds"] = int(setting["n"])
    for name in (*MEASURES, "minus_chosen"):
        mean = float(setting[name])
        row[name] = None if math.isnan(mean) else round(mean, 2)
        row[f"{name} 95 %"] = _interval(setting, name)
    row["chosen"] = bool(setting["chosen"])
    return row


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: of numpy's kinds the number."""
    return value.item() if hasattr(value, "item") else value


def _interval(setting: "pd.Series[Any]", name: str) -> str | None:
    low, high = (float(setting[f"{name}_{end}"]) for end in ("low", "high"))
    return None if math.isnan(low) else f"{low:.2f} to {high:.2f}"


def _best(settings: pd.DataFrame, fields: list[str], count: int) -> str:
    """Return which setting was chosen, how, and its test accuracy."""
    chosen = settings[settings["chosen"]]
    if chosen.empty:
        return (
            "no setting is called best: validation accuracies are missing, or "
            f"{', '.join(fields)} changes what is measured"
        )
    setting = chosen.iloc[0]
    words = ", ".join(f"{field}={_plain(setting[field])}" for field in fields)
    ends = {name: _interval(setting, name) for name in ("best", "last")}
    tested = "; ".join(
        f"{name} {setting[name]:.2f} %" + (f" ({ends[name]})" if ends[name] else "")
        for name in ends
    )
    seeds = "1 seed" if setting["n"] == 1 else f"{int(setting['n'])} seeds"
    return (
        f"best setting of {count}: {words}, chosen on validation (mean of "
        f"{seeds}, {setting['val']:.2f} %, too high by the choice); "
        f"test robust accuracy, which chose nothing: {tested}"
    )
