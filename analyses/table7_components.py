"""What refined labels are made of: mixing with the label, history, and the loss.

Planned by us; the captions of the paper's tables are not known. SGLR (our reading)
without history (the current prediction alone), without the given label (history alone:
SGLS), with both, and all on the symmetric cross entropy. By our calculation mixing with
the current prediction alone only shrinks the gradient. All thresholds are ours.
"""

import pandas as pd

from rofit.measures import best_last
from rofit.measures.claims import Claim
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Table 7"
STATUS = "planned by rofit"
DIAGNOSTICS = ()
VARIANTS = {
    "neither": RunSpec(method="pgd_at"),
    "mixing only": RunSpec(method="sglr", method_params=(("label_momentum", 0.0),)),
    "history only": RunSpec(method="sgls"),
    "both": RunSpec(method="sglr"),
    "neither, SCE": RunSpec(method="sce"),
    "both, SCE": RunSpec(method="sce", labels_from="sglr"),
}
EVALUATIONS = best_last.EVALUATIONS
LEFT_OUT = best_last.LEFT_OUT
COLUMNS = {"variant": "mixing with the label, history of predictions, loss"} | (
    best_last.COLUMNS
)
_MOMENTUM = "method_params.label_momentum"
_NAMES = {"pgd_at": "neither", "sgls": "history only", "sce": "neither, SCE"} | {
    "sce+sglr": "both, SCE"
}


def runs() -> list[RunSpec]:
    """Return a run a variant."""
    return [RECIPES["sgls"].apply(spec) for spec in VARIANTS.values()]


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run, checkpoint and attack."""
    whole = best_last.by_checkpoint(logs, _MOMENTUM)
    no_history = whole[_MOMENTUM].astype(float) == 0
    sglr = no_history.map({True: "mixing only", False: "both"})
    named = whole["method"].map(_NAMES).fillna(whole["method"])
    whole["variant"] = named.where(whole["method"] != "sglr", sglr)
    return whole.reindex(columns=list(COLUMNS))


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return whether both parts together do better than each alone."""
    attack = best_last.strongest(table)
    points = best_last.in_points(table)
    last = {
        name: best_last.by_seed(rows, rows["method"].iloc[0], attack, "last")
        for name, rows in table.groupby("variant")
    }
    pairs = (
        ("both", "mixing only"),
        ("both", "history only"),
        ("both", "neither"),
        ("both, SCE", "neither, SCE"),
        ("both", "both, SCE"),
    )
    return [
        points(
            0,
            best_last.shared(last[one], last[other]),
            sentence=f"last {attack} accuracy of {one} minus that of {other}",
        )
        for one, other in pairs
    ]
