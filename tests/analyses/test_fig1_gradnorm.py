"""Figure 1's table and claims against logs whose curves were made up by hand."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rofit.analyses import fig1_gradnorm as fig1

from rofit.settings.spec import RunSpec
from rofit.store.rows import load_logs
from rofit.store.runs import RunStore

LR = [0.1] * 2 + [0.01] * 3 + [0.001] * 4  # drops follow epochs 2 and 5 of 9
OVERFITS: dict[str, list[float]] = {
    "val": [0.1, 0.2, 0.40, 0.38, 0.36, 0.35, 0.34, 0.33, 0.32],  # best: epoch 3
    "test": [0.1, 0.2, 0.42, 0.44, 0.40, 0.38, 0.36, 0.34, 0.32],  # oracle: epoch 4
    "train": [0.1, 0.2, 0.45, 0.50, 0.55, 0.70, 0.75, 0.87, 0.85],
    "gradient_norm": [9, 8, 1, 3, 2, 5, 4, 6, 7],
    "learning_rate": LR,
}
STAYS = OVERFITS | {
    "test": [0.1, 0.2, 0.42, 0.41, 0.40, 0.40, 0.40, 0.40, 0.40],
    "gradient_norm": [9, 8, 7, 6, 5, 4, 3, 2, 1],
}
WORSE = OVERFITS | {"test": [*OVERFITS["test"][:-1], 0.28]}
BETWEEN = OVERFITS | {"test": [*OVERFITS["test"][:-1], 0.30]}
UNDECIDED = "not decidable at this scale"
FALL, RISE, GAP, RAMP_1, RAMP_2, TOGETHER, LESS = range(7)  # the claims, in order


def _rows(curves: dict[str, list[float]]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, values in curves.items():
        for epoch, value in enumerate(values, start=1):
            row = {"epoch": epoch, "value": float(value)}
            if name in ("train", "val", "test"):
                attack = "pgd10" if name == "train" else "pgd20"
                about = {"split": name, "attack": attack, "metric": "accuracy"}
                clean = about | {"attack": "none", "n": 64} | row | {"value": 0.99}
                rows += [about | {"n": 64} | row, clean]
            else:
                rows.append({"split": "train", "metric": name} | row)
    norms = curves["gradient_norm"]
    return rows + [
        {"split": "train", "metric": metric, "epoch": epoch, "value": factor * norm}
        for metric, factor in (("weight_norm", 0.5), ("gradient_weight_product", 3.0))
        for epoch, norm in enumerate(norms, start=1)
    ]


def _table(
    root: Path,
    vanilla: list[dict[str, list[float]]],
    remedy: list[dict[str, list[float]]],
) -> pd.DataFrame:
    """Return the analysis of a store that holds one run a seed and method."""
    for method, runs in (("pgd_at", vanilla), ("sgls", remedy)):
        for seed, curves in enumerate(runs):
            spec = RunSpec(method=method, epochs=9, seed=seed)
            folder = RunStore(root).folder(spec.run_id)
            with folder.opened(spec.as_dict()):
                folder.append(_rows(curves))
                folder.finish({})
    table = fig1.table(load_logs(root))
    table.insert(0, "scale", "demo")
    return table


@pytest.fixture
def table(tmp_path) -> pd.DataFrame:
    return _table(tmp_path, [OVERFITS, WORSE, BETWEEN], [STAYS] * 3)


def test_table_has_the_declared_columns_and_a_row_a_run_and_epoch(table):
    assert list(table) == ["scale", *fig1.COLUMNS]
    assert len(table) == 2 * 3 * 9
    assert not table.duplicated(["method", "seed", "epoch"]).any()
    assert set(table["attack"]) == {"pgd20"} and set(table["n_test"]) == {64}
    assert set(table["train_attack"]) == {"pgd10"}


def test_table_holds_the_logged_curves(table):
    run = table[(table["method"] == "pgd_at") & (table["seed"] == 0)]
    assert run["epoch"].tolist() == list(range(1, 10))
    for name in ("val", "test", "train"):
        assert run[f"{name}_robust"].tolist() == OVERFITS[name]
    norms = OVERFITS["gradient_norm"]
    assert run["gradient_norm"].tolist() == norms
    assert run["weight_norm"].tolist() == [0.5 * norm for norm in norms]
    assert run["gradient_weight_product"].tolist() == [3 * norm for norm in norms]
    assert run["lr"].tolist() == LR


def test_table_marks_drops_best_and_oracle_epochs(table):
    for _, run in table[table["method"] == "pgd_at"].groupby("seed"):
        run = run.set_index("epoch")
        assert run.index[run["drop_follows"]].tolist() == [2, 5]
        assert run.index[run["best"]].tolist() == [3]
        assert run.index[run["oracle"]].tolist() == [4]
        assert set(run["selected_on"]) == {"val"}


def test_falls_rises_and_ramps_are_those_worked_out_by_hand(table):
    claims = fig1.claims(table)
    assert [claim.n for claim in claims] == [3] * 7
    # 42 - 32, 42 - 28 and 42 - 30: the interval is 12 +- 4.97
    assert claims[FALL].measured == pytest.approx((10 + 14 + 12) / 3)
    assert claims[FALL].spread == pytest.approx(2)
    assert claims[RISE].measured == pytest.approx(85 - 45)
    assert claims[GAP].measured == pytest.approx((53 + 57 + 55) / 3)
    assert claims[RAMP_1].measured == pytest.approx(0.5)  # 1, 3, 2: 1 - 6 * 2 / 24
    assert claims[RAMP_2].measured == pytest.approx(0.8)  # 2, 1, 3, 4: 1 - 6 * 2 / 60
    assert claims[LESS].measured == pytest.approx((10 + 14 + 12) / 3 - 2)
    assert {claim.verdict for claim in claims} == {"holds"}


def test_norm_and_accuracy_are_compared_over_all_epochs_after_the_first_drop(table):
    # ranks of the norm 1 3 2 5 4 6 7 and of the test accuracy 6 7 5 4 3 2 1 (epochs 3
    # to 9): squared differences 25 16 9 1 1 16 36, so 1 - 6 * 104 / (7 * 48)
    measured = fig1.claims(table)[TOGETHER].measured
    assert measured == pytest.approx(6 * 104 / (7 * 48) - 1)


@pytest.mark.parametrize(
    ("scale", "epochs", "full"),
    [("paper", 200, True), ("paper", 9, False), ("gpu", 200, False)],
)
def test_thresholds_count_at_the_papers_scale_and_length_only(
    table, scale, epochs, full
):
    scaled = table.assign(scale=scale)
    scaled.loc[scaled["epoch"] == 9, "epoch"] = epochs
    needed = {claim.needed.startswith("at least") for claim in fig1.claims(scaled)}
    assert needed == {full}


def test_claims_can_fail(tmp_path):
    remedy = [OVERFITS, WORSE, BETWEEN]
    claims = fig1.claims(_table(tmp_path, [STAYS] * 3, remedy))
    assert claims[FALL].verdict == "holds"  # 2 points, each seed
    assert claims[RAMP_1].measured == pytest.approx(-1)
    assert claims[RAMP_1].verdict == claims[LESS].verdict == "fails"


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_or_two_seeds_decide_nothing_at_any_size(table, seeds):
    few = table[table["seed"] < seeds]
    full = few.assign(scale="paper", epoch=few["epoch"].replace(9, 200))
    for rows in (few, full):
        claims = fig1.claims(rows)
        assert [claim.n for claim in claims] == [seeds] * 7
        assert {claim.verdict for claim in claims} == {UNDECIDED}


def test_without_validation_images_the_test_images_choose_and_it_is_said(tmp_path):
    curves = {name: values for name, values in OVERFITS.items() if name != "val"}
    table = _table(tmp_path, [curves], [curves])
    assert set(table["selected_on"]) == {"test"} and table["val_robust"].isna().all()
    assert table.loc[table["best"], "epoch"].tolist() == [4, 4]
    assert fig1.claims(table)[FALL].measured == pytest.approx(44 - 32)


@pytest.mark.parametrize("drops", [0, 1])
def test_what_comes_after_a_drop_that_never_came_is_not_measured(tmp_path, drops):
    curves = OVERFITS | {"learning_rate": [0.1] * 5 + [0.01 if drops else 0.1] * 4}
    claims = fig1.claims(_table(tmp_path, [curves], [curves]))
    assert math.isnan(claims[RAMP_2].measured)
    assert drops or math.isnan(claims[RAMP_1].measured)


def test_accuracy_that_does_not_move_leaves_the_claim_undecided_and_unwarned(tmp_path):
    curves = OVERFITS | {"test": [0.1] * 9}
    claim = fig1.claims(_table(tmp_path, [curves], [curves]))[TOGETHER]
    assert math.isnan(claim.measured) and claim.n == 0
