"""Robust accuracy against the strength of the attack: its radius, and its steps.

Planned by us; the caption of the paper's Figure 10 is not known. PGD-20 inside radii
from 0 to 16/255, and PGD of 1 to 1000 steps inside the run's radius, on the best and
the last checkpoint of adversarial training and of sglr (our reading): two of the runs
of Figure 2. More radius must cost accuracy until nothing is left, and more steps beyond
some tens must not find much more: otherwise gradients are masked. Thresholds are ours.
"""

from collections.abc import Callable
from functools import partial

import pandas as pd

from rofit.measures.claims import Claim, in_every
from rofit.measures.metrics import best_last_gap
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Figure 10"
STATUS = "planned by rofit"
DIAGNOSTICS = ()
METHODS = ("pgd_at", "sglr")
RADII = (2, 4, 6, 8, 10, 12, 14, 16)  # over 255
STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
EVALUATIONS = (
    "clean",
    *(f"pgd20@{radius}/255" for radius in RADII),
    *(f"pgd{steps}" for steps in STEPS),
)
COLUMNS = {
    "method": "training method",
    "seed": "of the run",
    "checkpoint": "best (see selected_on) or last",
    "selected_on": "split that chose best",
    "epoch": "of the checkpoint",
    "varied": "radius (of PGD-20) or steps (inside the run's radius)",
    "strength": "radius times 255, or number of steps",
    "trained_radius": "of the run's own attack, times 255",
    "accuracy": "of test images, clean and attacked right, fraction",
    "n": "test images",
}


def runs() -> list[RunSpec]:
    """Return two of the runs of Figure 2."""
    return [RECIPES["sgls"].apply(RunSpec(method=method)) for method in METHODS]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run, checkpoint and strength."""
    chosen = best_last_gap(logs)["selected_on"]
    evaluated = logs[
        (logs["measured"] == "evaluation") & (logs["metric"] == "accuracy")
    ]
    # and of no other epoch
    evaluated = evaluated[evaluated["checkpoint"].isin(["best", "last"])]
    evaluated = evaluated.assign(
        accuracy=evaluated["value"],
        selected_on=evaluated["run_id"].map(chosen),
        trained_radius=(255 * evaluated["epsilon"]).round(6),
    )
    by_radius = evaluated[evaluated["attack"].isin(["none", "pgd20"])]
    by_radius = by_radius.assign(
        varied="radius", strength=(255 * by_radius["attack_epsilon"]).round(6)
    )
    steps = evaluated["attack"].astype(str).str.fullmatch(r"pgd\d+")
    same_radius = (evaluated["attack_epsilon"] - evaluated["epsilon"]).abs() < 1e-9
    by_steps = evaluated[steps & same_radius]
    number = by_steps["attack"].astype(str).str.removeprefix("pgd").astype(float)
    by_steps = by_steps.assign(varied="steps", strength=number)
    rows = pd.concat([by_radius, by_steps]).reindex(columns=list(COLUMNS))
    order = ["method", "seed", "checkpoint", "varied", "strength"]
    return rows.sort_values(order).reset_index(drop=True)


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return what an evaluation without masked gradients shows, at every scale.

    Of a seed's two networks the one counts that shows it least.
    """
    ours = partial(in_every, 0, source="ours", unit="points")
    claimed = []
    for method in METHODS:
        rows = table[table["method"] == method]
        claimed += [
            ours(
                _least(rows, "radius", lambda line: -line.diff().max()),
                sentence=f"{method}: no larger radius leaves more (smallest fall)",
            ),
            ours(
                _least(rows, "radius", lambda line: 0.05 - line.iloc[-1]),
                sentence=f"{method}: at most 5 % are left inside the largest radius "
                "(5 minus what is left)",
            ),
            ours(
                _least(rows, "steps", lambda line: 0.01 - line[20.0] + line[100.0]),
                sentence=f"{method}: PGD-100 finds less than a point more than PGD-20 "
                "(1 minus what it finds)",
            ),
        ]
    return claimed


def _least(
    rows: pd.DataFrame, varied: str, measure: "Callable[[pd.Series[float]], float]"
) -> list[float]:
    """Return the smallest of a seed's networks, in points, a value a seed."""
    by_seed: dict[int, list[float]] = {}
    nets = rows[rows["varied"] == varied].groupby(["seed", "checkpoint"], observed=True)
    for (seed, _), net in nets:
        line = net.set_index("strength")["accuracy"].sort_index()
        by_seed.setdefault(int(seed), []).append(100 * float(measure(line)))
    return [min(values) for values in by_seed.values()]
