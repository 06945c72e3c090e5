"""What a training step of each method costs, over that of adversarial training.

Planned by us; the captions of the paper's tables are not known. The steps of all
methods are timed in one process, in turn, late in their runs, when labels are refined
and weights averaged. Not in a step: the pass over the clean training images that SWA
makes after each epoch, and the runs of teachers. All thresholds are ours.
"""

import pandas as pd

from rofit.measures.claims import Claim, at_least
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Table 8"
STATUS = "planned by rofit"
DIAGNOSTICS = ()
COSTS = True
METHODS = (
    "pgd_at",
    "standard",
    "fast_at",
    "n_fgsm",
    "nuat",
    "fgsm_pgi",
    "label_smoothing",
    "sce",
    "sgls",
    "sglr",
    "trades",
    "trades_sgls",
    "mart",
    "mart_sgls",
    "awp",
    "trades_awp",
    "mlcat_ls",
    "mlcat_wp",
    "weight_ema",
    "swa",
    "hat",
    "kd",
    "kd_swa",
    "sat",
    "te",
    "adr",
    "adr_ema",
    "adr_awp",
    "adr_ema_awp",
    "rslad",
    "ard",
    "rebat",
    "ikl",
)
COLUMNS = {
    "method": "training method",
    "round": "of the timing: every method once",
    "seconds": "of a step",
    "over_pgd_at": "the same over pgd_at's in the same round",
    "batch_size": "images a step",
    "device": "that the steps ran on",
    "engine": "of the passes: compiled or eager",
}


def runs() -> list[RunSpec]:
    """Return a run a method: their steps are timed, they are not trained."""
    return [RECIPES["sgls"].apply(RunSpec(method=method)) for method in METHODS]


def table(times: pd.DataFrame) -> pd.DataFrame:
    """Return a row a method and round."""
    plain = times[times["method"] == "pgd_at"].set_index("round")["seconds"]
    over = times["seconds"] / times["round"].map(plain)
    return times.assign(over_pgd_at=over).reindex(columns=list(COLUMNS))


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return whether label refinement costs at most a tenth of a step."""
    return [
        at_least(
            0,
            [
                110 - 100 * ratio
                for ratio in table.loc[table["method"] == method, "over_pgd_at"]
            ],
            sentence=f"{method}: a step costs at most 10 % more than pgd_at's (what is "
            "left of them, over rounds)",
            unit="% of pgd_at's step",
            source="ours",
            full_size=bool((table["scale"] == "paper").all()),
        )
        for method in ("sgls", "sglr")
    ]
