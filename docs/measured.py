"""Tables of what was measured, from the logs in analyses/logs: no number is typed."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from rofit.analyses import fig1_gradnorm as fig1

from rofit.measures.epochs import fall
from rofit.settings.spec import RunSpec
from rofit.store.rows import load_logs
from rofit.store.runs import read_events, read_spec
from rofit.training.engine import passes

LOGS = Path(__file__).parent.parent / "analyses" / "logs"
GPU = LOGS / "h200"
SHOWN = 6  # of the metrics, those that differ most

Rows = Iterable[dict[str, str]]


def search() -> Rows:
    """Return a row a run of PGD-AT at a size that was tried, as far as it went."""
    for spec, rows, run in _runs(LOGS / "search"):
        yield {
            "images": f"{spec.train_size:,}",
            "network": f"{spec.model}, width {spec.width}",
            "batch": str(spec.batch_size),
            "seed": str(spec.seed),
            "epochs": f"{run.index.max()} of {spec.epochs}",
            "attack passes": f"{passes(spec):,}",
            **_course(spec, rows, run),
        }


def hour() -> Rows:
    """Return a row a run at scale ``hour``: what the scale was chosen by."""
    runs = sorted(_runs(LOGS / "hour"), key=lambda r: (r[0].method, r[0].seed))
    for spec, rows, run in runs:
        seed = {"method": f"`{spec.method}`", "seed": str(spec.seed)}
        share = _share_of_diagnostics(LOGS / "hour" / str(rows["run_id"].iloc[0]))
        yield seed | _course(spec, rows, run) | {"diagnostics take": f"{share:.0%}"}


def gpu_runs() -> Rows:
    """Return a row a run on a GPU: its accuracies, and its gradient norm's way."""
    for spec, rows, run in _runs(GPU):
        before = run[run.index <= spec.drops[0] * spec.epochs]
        yield {
            "method": f"`{spec.method}`",
            "run": f"{spec.epochs} epochs, {spec.precision}, seed {spec.seed}",
            "clean": f"{_clean(rows):.1f}",
            "robust, best": f"{100 * run['test_robust'][_best(run)]:.1f}",
            "best at epoch": str(_best(run)),
            "robust, last": f"{100 * run['test_robust'].iloc[-1]:.1f}",
            "training robust, last": f"{100 * run['train_robust'].iloc[-1]:.1f}",
            "gradient norm before the first drop": _norm(before),
            "at the end": _norm(run),
            "s an epoch": f"{_last_stop(GPU, rows)['seconds_an_epoch']:.1f}",
        }


def gpu_and_cpu() -> Rows:
    """Return the metrics that differ most between the GPU's runs and the CPU's."""
    rows = _bench("methods")["methods"]
    for row in sorted(rows, key=lambda row: -row["first epoch, median"])[:SHOWN]:
        yield {
            "metric": f"`{row['metric']}`",
            "numbers": f"{row['numbers']:,}",
            **{key: f"{row[key]:.1e}" for key in row if "epoch" in key},
        }


def gpu_parity() -> Rows:
    """Return a row a figure of `rofit bench parity` on the GPU."""
    for row in _bench("parity")["parity"]:
        yield {
            "figure": row["figure"],
            "measured": f"{row['seen']:.4g}",
            "needed": row["wanted"],
            "holds": "yes" if row["holds"] else "**no**",
        }


def gpu_parts() -> Rows:
    """Return a row a part of a step in `rofit bench profile` on the GPU."""
    for row in _bench("profile")["profile"]:
        spread = "" if row["spread %"] is None else f"{row['spread %']:.0f}"
        yield {
            "part": row["part"],
            "ms": f"{row['ms']:.1f}",
            "between quartiles, %": spread,
        }


def _runs(store: Path) -> Iterator[tuple[RunSpec, pd.DataFrame, pd.DataFrame]]:
    """Yield the spec, the rows and the evaluated epochs of each run of a store."""
    for run_id, rows in load_logs(store).groupby("run_id", observed=True):
        run = fig1.table(rows)
        run = run[run["test_robust"].notna()].set_index("epoch")
        yield read_spec(store / str(run_id) / "spec.json")[0], rows, run


def _course(spec: RunSpec, rows: pd.DataFrame, run: pd.DataFrame) -> dict[str, str]:
    """Return what is asked of a size, of one run, and its clean accuracy."""
    best = _best(run)
    drop = spec.drops[0] * spec.epochs
    place = "in" if 0 < best - drop <= spec.epochs / 5 else "out of"
    return {
        "best at epoch": f"{best}, {place} the fifth after the drop",
        "falls by": f"{fall(run):.1f}",
        "training rises by": f"{fig1.rise(run):.1f}",
        "norm ramps up": f"{fig1.ramp(run, 0):.2f}",
        "clean": f"{_clean(rows):.1f}",
    }


def _best(run: pd.DataFrame) -> int:
    return int(run.index[run["best"]][0])


def _clean(rows: pd.DataFrame) -> float:
    clean = rows[(rows["split"] == "test") & (rows["attack"] == "none")]
    return 100 * float(clean[clean["metric"] == "accuracy"]["value"].iloc[-1])


def _last_stop(store: Path, rows: pd.DataFrame) -> dict[str, float]:
    """Return what the run's process said of its cost when it ended."""
    *_, last = read_events(store / str(rows["run_id"].iloc[0]))
    return last


def _share_of_diagnostics(run: Path) -> float:
    """Return the share of a run's seconds that went into what is measured."""
    stops = [event for event in read_events(run) if event["event"] == "stop"]
    watching = sum(sum(event["watching"].values()) for event in stops)
    return watching / sum(event["seconds"] for event in stops)


def _norm(run: pd.DataFrame) -> str:
    return f"{run['gradient_norm'].iloc[-1]:.2f}"


def _bench(table: str) -> dict[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = json.loads(
        (GPU / "bench" / f"{table}.json").read_text()
    )
    return tables
