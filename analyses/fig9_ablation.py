"""SGLR's three settings, one at a time: share, momentum and start of refinement.

Planned by us; the caption of the paper's Figure 9 is not known, nor are the paper's
values: those that stay fixed are our reading's (r 0.8, momentum 0.9, from 0.445 of the
run on). Best and last test accuracy under every epoch's attack. All thresholds are
ours.
"""

from functools import partial

import pandas as pd

from rofit.measures.claims import Claim, at_least
from rofit.measures.epochs import is_full_size
from rofit.measures.metrics import best_last_gap
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Figure 9"
STATUS = "planned by rofit"
DIAGNOSTICS: tuple[str, ...] = ()
SWEEPS = {
    "r": (0.0, 0.5, 0.8, 1.0),
    "label_momentum": (0.8, 0.9, 0.95),
    "start": (0.2, 0.445, 0.6, 0.8),
}
USUAL = {"r": 0.8, "label_momentum": 0.9, "start": 0.445}
COLUMNS = {
    "varied": "parameter of sglr; pgd_at: none, the method without it",
    "value": "of the parameter; empty for pgd_at",
    "seed": "of the run",
    "best": "test accuracy at the best epoch, fraction",
    "last": "test accuracy at the end, fraction",
    "selected_on": "split that chose the best epoch",
    "epochs": "of the run",
    "attack": "of both",
    "n": "test images",
}


def runs() -> list[RunSpec]:
    """Return adversarial training, the usual setting, and all that depart from it."""
    specs = [RunSpec(), RunSpec(method="sglr")]
    specs += [
        RunSpec(method="sglr", method_params=((name, value),))
        for name, values in SWEEPS.items()
        for value in values
        if value != USUAL[name]
    ]
    return [RECIPES["sgls"].apply(spec) for spec in specs]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run and sweep; the usual setting is part of each."""
    chosen = best_last_gap(logs)
    tested = logs[(logs["split"] == "test") & (logs["measured"] == "epoch_end")]
    tested = tested[tested["attack"] != "none"].drop_duplicates("run_id")
    by_run = tested.set_index("run_id")
    rows = []
    for run_id, choice in chosen.iterrows():
        run = by_run.loc[run_id]
        common = {key: choice[key] for key in ("best", "last", "selected_on", "epochs")}
        common |= {key: run[key] for key in ("seed", "attack", "n")}
        if run["method"] == "pgd_at":
            rows.append({"varied": "pgd_at", "value": None} | common)
            continue
        values = {name: float(run[f"method_params.{name}"]) for name in SWEEPS}
        departs = [name for name in SWEEPS if values[name] != USUAL[name]]
        rows += [
            {"varied": name, "value": values[name]} | common
            for name in departs or list(SWEEPS)
        ]
    whole = pd.DataFrame(rows, columns=list(COLUMNS))
    return whole.sort_values(["varied", "value", "seed"]).reset_index(drop=True)


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return how much each setting matters."""
    points = partial(
        at_least, full_size=is_full_size(table), source="ours", unit="points"
    )
    plain = _by_seed(table, "pgd_at", None, "last")
    nothing = _by_seed(table, "r", 0.0, "last")
    usual = _by_seed(table, "r", USUAL["r"], "last")
    momenta = pd.concat(
        [_by_seed(table, "label_momentum", v, "last") for v in (0.8, 0.9, 0.95)], axis=1
    )
    whole = momenta.notna().all(axis=1)
    falls = {
        start: _by_seed(table, "start", start, "best")
        - _by_seed(table, "start", start, "last")
        for start in (USUAL["start"], 0.6)
    }
    return [
        points(
            0,
            list(2 - (nothing - plain).abs()),
            sentence="r = 0 ends within 2 points of pgd_at (what is left of them)",
        ),
        points(
            0,
            list((2 - momenta.max(axis=1) + momenta.min(axis=1))[whole]),
            sentence="last accuracy varies by less than 2 points over momenta from 0.8 "
            "to 0.95 (what is left of them)",
        ),
        points(
            4,
            list(usual - plain),
            sentence="the usual setting ends above pgd_at",
        ),
        points(
            1,
            list(falls[0.6] - falls[USUAL["start"]]),
            sentence="refinement that starts after the first drop falls further",
        ),
    ]


def _by_seed(
    table: pd.DataFrame, varied: str, value: float | None, column: str
) -> "pd.Series[float]":
    rows = table[table["varied"] == varied]
    if value is not None:
        rows = rows[rows["value"] == value]
    return 100 * rows.set_index("seed")[column]
