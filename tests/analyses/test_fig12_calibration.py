"""Figure 12: table and claims of logs made up by hand; the picture of that table."""

from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pandas as pd
import pytest
from made_up_logs import course, saved, write_run
from rofit.analyses import fig12_calibration as fig12
from rofit.figures import fig12_calibration as picture
from rofit.figures._style import METHODS as LOOKS

from rofit.measures.claim_text import measured_text
from rofit.settings.spec import RunSpec
from rofit.store.rows import load_logs

TEST = {"split": "test", "attack": "pgd20", "n": 64}
UNDECIDED = "not decidable at this scale"
LR = [0.1] * 2 + [0.01] * 2 + [0.001] * 2  # drops follow epochs 2 and 4 of 6
Runs = dict[str, list[tuple[float | None, list[float]]]]  # ECE at the end, norm
FALLS, NEARLY, RISES = [9, 8, 4, 3, 2, 1], [9, 8, 4, 2, 3, 1], [9, 8, 1, 3, 2, 4]
GOOD: Runs = {
    "pgd_at": [(0.30, RISES), (0.32, RISES), (0.31, RISES)],
    "sgls": [(0.20, FALLS), (0.20, NEARLY), (0.21, FALLS)],
    "sglr": [(0.10, NEARLY), (0.14, FALLS), (0.12, NEARLY)],
}
# Seed by seed, images, confidence and accuracy of bins; SHIFT is added in bin 13.
BINS: list[dict[int, tuple[float, ...]]] = [{5: (5, 0.35, 0.4), 13: (10, 0.90, 0.5)}]
BINS += [{13: (30, 0.92, 0.7), 14: (1, 1.0, 1.0)}, {13: (20, 0.91, 0.6)}]
SHIFT = {"pgd_at": 0.0, "sgls": 0.05, "sglr": 0.1}
# 4 2 3 1 has the rank correlation 1 - 6 * (9 + 0 + 0 + 9) / 60 with the epoch.
BY_HAND = [(10, 12, 10), (1, 0.8, 1), (20, 18, 19), (0.8, 1, 0.8)]


def _bins(method: str, seed: int) -> list[dict[str, Any]]:
    """Return rows as the diagnostic writes them: of an empty bin, the count alone."""
    rows: list[dict[str, Any]] = []
    for b in range(15):
        values = BINS[seed].get(b, (0,))
        names = ("count", "confidence", "accuracy")[: len(values)]
        for name, value in zip(names, values, strict=True):
            value += SHIFT[method] * ((b, name) == (13, "accuracy"))
            rows.append({"bin": b, "metric": f"reliability_{name}", "value": value})
    return [row | TEST | {"epoch": 6} for row in rows]


def _table(root: Path, runs: Runs) -> pd.DataFrame:
    for method, seeds in runs.items():
        for seed, (ece, norms) in enumerate(seeds):
            rows = course(norms, split="train", metric="gradient_norm")
            rows += course(LR, split="train", metric="learning_rate")
            rows += course([0.05] * 5 + [ece], **TEST, metric="ece")
            rows += course([0.9] * 6, **TEST | {"attack": "none"}, metric="ece")
            for row in _bins(method, seed):
                other = row | {"value": 0.123}
                rows += [row, other | {"epoch": 5}, other | {"attack": "none"}]
            write_run(root, RunSpec(method=method, epochs=6, seed=seed), rows)
    return fig12.table(load_logs(root)).assign(scale="demo", data="digits, linf 8/255")


@pytest.fixture
def table(tmp_path) -> pd.DataFrame:
    return _table(tmp_path, GOOD)


def test_table_has_a_row_a_run_and_epoch_then_one_a_run_and_bin(table):
    assert list(table) == [*fig12.COLUMNS, "scale", "data"]
    epochs, bins = table[: 3 * 3 * 6], table[3 * 3 * 6 :]
    assert epochs["bin"].isna().all() and len(bins) == 3 * 3 * 15
    assert not epochs.duplicated(["method", "seed", "epoch"]).any()
    assert not bins.duplicated(["method", "seed", "bin"]).any()
    assert set(bins["epoch"]) == {6} and set(table["attack"]) == {"pgd20"}


def test_table_holds_the_logged_norm_error_and_drops(table):
    run = table.query("method == 'sgls' and seed == 1")[:6]
    assert run["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    assert run["gradient_norm"].tolist() == NEARLY
    assert run["ece"].tolist() == [0.05] * 5 + [0.2]
    assert run["after_drop"].tolist() == [False] * 2 + [True] * 4
    assert run["drop_follows"].tolist() == [False, True, False, True, False, False]


def test_table_holds_the_bins_of_attacked_images_at_the_end(table):
    bins = table.query("method == 'sglr' and seed == 0")[6:].set_index("bin")
    assert bins["images"].tolist() == [0] * 5 + [5] + [0] * 7 + [10, 0]
    assert bins["confidence"].dropna().to_dict() == {5: 0.35, 13: 0.9}
    assert bins["accuracy"].dropna().to_dict() == {5: 0.4, 13: 0.6}


def test_a_run_that_ended_early_has_the_bins_of_its_own_last_epoch(table, tmp_path):
    early = "method == 'sgls' and seed == 0"
    logs = load_logs(tmp_path).query(f"epoch < 6 or not ({early})")
    bins = fig12.table(logs).query(early)[5:]
    assert set(bins["epoch"]) == {5} and set(bins["images"]) == {0.123}


def test_claims_measure_what_was_worked_out_by_hand_and_can_hold(table):
    claims = fig12.claims(table)
    for claim, values in zip(claims, BY_HAND, strict=True):
        assert claim.n == 3 and claim.verdict == "holds"
        assert claim.measured == pytest.approx(fmean(values))
        assert claim.spread == pytest.approx(stdev(values))
    assert fig12.claims(saved(table)) == claims


def test_every_claim_can_fail(tmp_path):
    worse: Runs = {name: [(0.5, RISES)] * 3 for name in ("sgls", "sglr")}
    claims = fig12.claims(_table(tmp_path, GOOD | worse))
    assert [claim.measured for claim in claims] == pytest.approx([-19, -0.8] * 2)
    assert [claim.verdict for claim in claims] == ["fails"] * 4


def test_at_full_size_the_threshold_is_none_and_the_sign_decides(table):
    full = table.assign(scale="paper").replace({"epoch": {6: 200}})
    claims = fig12.claims(full)
    assert [claim.needed for claim in claims] == ["at least 0"] * 4
    assert [claim.verdict for claim in claims] == ["holds"] * 4


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_or_two_seeds_decide_nothing_at_any_size(table, seeds):
    few = table[table["seed"] < seeds]
    for rows in (few, few.assign(scale="paper").replace({"epoch": {6: 200}})):
        claims = fig12.claims(rows)
        assert {(claim.n, claim.verdict) for claim in claims} == {(seeds, UNDECIDED)}


def test_methods_are_compared_seed_by_seed_where_a_seed_is_missing(table):
    claims = fig12.claims(table.query("method != 'sgls' or seed > 0"))
    assert [claim.n for claim in claims] == [2, 2, 3, 3]
    assert claims[0].measured == pytest.approx((12 + 10) / 2), "of seeds 1 and 2"
    assert [claim.verdict for claim in claims[:2]] == [UNDECIDED] * 2


def test_what_needs_a_method_that_was_not_run_is_not_measured(table):
    claims = fig12.claims(table[table["method"] != "sgls"])
    assert [claim.verdict for claim in claims] == [UNDECIDED] * 2 + ["holds"] * 2
    assert {measured_text(claim) for claim in claims[:2]} == {"not measured"}


def test_errors_not_measured_and_norms_that_do_not_move_are_left_out(tmp_path):
    flat: Runs = {"sgls": [(None, [9, 8, 2, 2, 2, 2]), (0.2, FALLS), (0.21, NEARLY)]}
    table = _table(tmp_path, GOOD | flat)
    assert [claim.n for claim in fig12.claims(table)] == [2, 2, 3, 3]
    before = fig12.claims(table.assign(after_drop=False))
    assert [claim.n for claim in before] == [2, 0, 3, 0], "no drop, no ramp after it"


def test_panels_methods_and_stamp_are_named(table):
    figure = picture.draw(saved(table))
    named = [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]
    assert named[0] == ("mean confidence in the bin", "accuracy in the bin, PGD-20")
    assert named[1] == ("epoch", "calibration error, PGD-20 (%)")
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [LOOKS[name].label for name in GOOD]
    about = "scale demo, not the paper's · digits, linf 8/255 · 3 seeds"
    assert figure.get_supxlabel() == f"rofit · {about}"
    assert picture.draw(table.assign(scale="paper")).get_supxlabel() == ""
