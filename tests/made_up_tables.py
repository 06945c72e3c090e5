"""Runs of the tables of best and last, whose accuracies were made up by hand."""

from pathlib import Path
from types import ModuleType

import pandas as pd
from made_up_logs import course, write_evaluation, write_run

from rofit.methods.resolve import described
from rofit.reproduction import catalog
from rofit.settings.spec import RunSpec
from rofit.store.rows import load_logs

ROWS = {  # columns that name a row, of the tables of best and last
    "table1_main": ["dataset", "method"],
    "table2_remedies": ["method"],
    "table3_architectures": ["model", "method"],
    "table4_threats": ["norm", "method"],
    "table6_datasets": ["dataset", "method"],
    "table7_components": ["variant"],
}
NAMES = [
    name
    for name in catalog.analysis_names()
    if name.startswith("table")
    and name not in ("table5_attacks", "table9_compositions")
    and not catalog.is_timed(name)
]
SEEDS = (0, 1, 2)
# By how many points less than FALLS accuracy falls, a number a seed: of what others are
# compared with, and of these. Differences vary by a tenth of a point: the interval of
# their mean reaches 0.25.
LESS = {"pgd_at": (0.0, 0.5, 1.0), "trades": (0.0, 0.5, 1.0), "sce": (0.0, 0.5, 1.0)}
OTHERS_LESS = (0.1, 0.4, 1.0)
BEST = {"none": 0.7, "pgd20": 0.5, "cw100": 0.45, "autoattack": 0.4}
EVERY = "each_epoch"
ATTACKS = (*BEST, EVERY)
# By how many points accuracy falls from best to last, under every attack; see LESS.
FALLS = {
    "pgd_at": 12,
    "trades": 10,
    "sce": 10,
    "label_smoothing": 4,
    "awp": 3,
    "mlcat_ls": 5,
    "weight_ema": 6,
    "swa": 7,
    "kd_swa": 8,
    "sat": 9,
    "te": 4.5,
    "adr": 5.5,
    "n_fgsm": 9,
    "nuat": 8.5,
    "fgsm_pgi": 8,
    "hat": 8.6,
    "rslad": 6.5,
    "ard": 6.6,
    "rebat": 3.5,
    "ikl": 7.5,
    "trades_sgls": 8.5,
    "sgls": 2,
    "sglr": 1,
    "trades+sglr": 1,
    "sce+sglr": 2,
    "mixing only": 3,
}
MIXING = RunSpec(method="sglr", method_params={"label_momentum": 0.0})


def accuracy(name: str, checkpoint: str, attack: str, seed: int, sign: int) -> float:
    """Return what was made up; *sign* -1: the opposite effects, 0: none."""
    best = BEST.get(attack, 0.5) + 0.01 * seed
    lower = 0.01 * (sign * FALLS[name] - LESS.get(name, OTHERS_LESS)[seed])
    return best - lower if checkpoint == "last" else best


def whole(spec: RunSpec) -> RunSpec:
    """Return the spec with every parameter told, as a trained run's is."""
    fields = described(spec)
    return RunSpec.from_dict({k: fields[k] for k in fields if not k.endswith("_id")})


def made_up(root: Path, analysis: ModuleType, attacks: tuple[str, ...]) -> pd.DataFrame:
    """Return the table of the analysis' runs, three seeds of four epochs each."""
    specs = [
        whole(spec.replace(epochs=4, seed=seed))
        for spec in analysis.runs()
        for seed in SEEDS
    ]
    for spec in specs:
        name = "+".join(filter(None, [spec.method, spec.labels_from]))
        if dict(spec.method_params).get("label_momentum") == 0:
            name = "mixing only"
        _write(root, spec, name, attacks)
    return analysis.table(load_logs(root, [spec.run_id for spec in specs]))


def replanted(table: pd.DataFrame, sign: int) -> pd.DataFrame:
    """Return the table with other accuracies at best and last."""
    names = table["variant"].map(_named) if "variant" in table else table["method"]
    rows = zip(
        names, *(table[c] for c in ("checkpoint", "attack", "seed")), strict=True
    )
    return table.assign(accuracy=[accuracy(*row, sign) for row in rows])


def _named(variant: str) -> str:
    known = {"neither": "pgd_at", "history only": "sgls", "both": "sglr"}
    known |= {"neither, SCE": "sce", "both, SCE": "sce+sglr"}
    return known.get(variant, variant)


def _write(root: Path, spec: RunSpec, name: str, attacks: tuple[str, ...]) -> None:
    about = {"metric": "accuracy", "measured": "epoch_end", "attack": "pgd10"}
    best, last = (accuracy(name, c, EVERY, spec.seed, 1) for c in ("best", "last"))
    rows = course([0.1, best, 0.9, last], **about, split="test", n=64)
    rows += course([0.1, 0.5, 0.3, 0.2], **about, split="val", n=32)
    write_run(root, spec, rows)
    for attack in attacks:
        for checkpoint in ("best", "last"):
            value = accuracy(name, checkpoint, attack, spec.seed, 1)
            write_evaluation(root, spec, checkpoint, attack, value)
