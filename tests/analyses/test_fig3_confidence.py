"""Figure 3: table and claims of logs made up by hand, and the picture of that table."""

from pathlib import Path
from statistics import fmean, stdev

import pandas as pd
import pytest
from made_up_logs import course, saved, write_run
from rofit.analyses import fig3_confidence as fig3
from rofit.figures import fig3_confidence as picture
from rofit.figures._style import METHODS as LOOKS

from rofit.measures.claim_text import measured_text
from rofit.settings.spec import RunSpec
from rofit.store.rows import load_logs

UNDECIDED = "not decidable at this scale"
Ends = dict[str, list[tuple[float | None, float]]]
# Under attack at the end, a pair a seed: confidence in incorrect predictions, and ECE.
GOOD: Ends = {
    "pgd_at": [(0.90, 0.50), (0.80, 0.40), (0.85, 0.45)],
    "label_smoothing": [(0.60, 0.55), (0.55, 0.45), (0.58, 0.50)],
    "sgls": [(0.50, 0.20), (0.45, 0.15), (0.48, 0.18)],
    "sglr": [(0.40, 0.10), (0.40, 0.10), (0.40, 0.10)],
}
BAD = GOOD | {"pgd_at": [(0.35, 0.05), (0.30, 0.04), (0.33, 0.045)]}
_, SGLS_SURE, SGLR_SURE, SGLS_ECE, SGLR_ECE = range(5)  # the claims, in order
# pgd_at minus the other, seed by seed, in the order of the claims
BY_HAND = [(0.30, 0.25, 0.27), (0.40, 0.35, 0.37), (0.50, 0.40, 0.45)]
BY_HAND += [(0.30, 0.25, 0.27), (0.40, 0.30, 0.35)]


def _table(root: Path, ends: Ends) -> pd.DataFrame:
    """Return the analysis of runs of three epochs, the second of which is best."""
    for method, seeds in ends.items():
        for seed, (wrong, ece) in enumerate(seeds):
            rows = []
            for split, accuracies in (
                ("val", [0.1, 0.4, 0.3]),
                ("test", [0.1, 0.3, 0.4]),
            ):
                about = {"metric": "accuracy", "attack": "pgd20", "n": 64}
                rows += course(accuracies, split=split, **about)
            for attack, name, n, values in (
                ("pgd20", "confidence_incorrect", 24, [0.3, 0.5, wrong]),
                ("pgd20", "confidence_correct", 40, [0.4, 0.6, 0.7]),
                ("none", "confidence_incorrect", 4, [0.2, 0.25, 0.28]),
                ("none", "confidence_correct", 60, [0.45, 0.65, 0.95]),
                ("pgd20", "ece", 64, [0.11, 0.12, ece]),
                ("none", "ece", 64, [0.01, 0.02, 0.03]),
                ("pgd20", "probability_of_label", 64, [0.07, 0.08, 0.09]),
            ):
                known = values[:2] if values[2] is None else values
                about = {"attack": attack, "metric": name, "n": n}
                rows += course(known, split="test", **about)
                rows += course([0.001] * 3, split="val", **about)
            write_run(root, RunSpec(method=method, epochs=3, seed=seed), rows)
    return fig3.table(load_logs(root)).assign(scale="demo", data="digits, linf 8/255")


@pytest.fixture
def table(tmp_path) -> pd.DataFrame:
    return _table(tmp_path, GOOD)


def test_table_has_the_declared_columns_and_a_row_a_checkpoint_attack_and_kind(table):
    assert list(table) == [*fig3.COLUMNS, "scale", "data"]
    keys = ["method", "seed", "checkpoint", "attack", "predictions"]
    assert len(table) == 4 * 3 * 8 and not table.duplicated(keys).any()
    assert set(table["selected_on"]) == {"val"}


def test_table_holds_what_was_logged_at_the_best_and_at_the_last_epoch(table):
    run = table[(table["method"] == "pgd_at") & (table["seed"] == 1)]
    keys = ["checkpoint", "epoch", "attack", "predictions"]
    values = run[["confidence", "n", "ece"]].itertuples(index=False, name=None)
    rows = zip(run[keys].itertuples(index=False, name=None), values, strict=True)
    assert dict(rows) == {
        ("best", 2, "none", "correct"): (0.65, 60, 0.02),
        ("best", 2, "none", "incorrect"): (0.25, 4, 0.02),
        ("best", 2, "pgd20", "correct"): (0.6, 40, 0.12),
        ("best", 2, "pgd20", "incorrect"): (0.5, 24, 0.12),
        ("last", 3, "none", "correct"): (0.95, 60, 0.03),
        ("last", 3, "none", "incorrect"): (0.28, 4, 0.03),
        ("last", 3, "pgd20", "correct"): (0.7, 40, 0.40),
        ("last", 3, "pgd20", "incorrect"): (0.80, 24, 0.40),
    }


def test_claims_measure_what_was_worked_out_by_hand_and_can_hold(table):
    claims = fig3.claims(table)
    for claim, values in zip(claims, BY_HAND, strict=True):
        assert claim.n == 3 and claim.verdict == "holds"
        assert claim.measured == pytest.approx(fmean(values))
        assert claim.spread == pytest.approx(stdev(values))


def test_every_claim_can_fail(tmp_path):
    claims = fig3.claims(_table(tmp_path, BAD))
    assert claims[SGLS_SURE].measured == pytest.approx(-0.15)
    assert [claim.verdict for claim in claims] == ["fails"] * 5


def test_at_full_size_the_thresholds_are_those_declared(tmp_path):
    # 0.05, 0.05, 0.06 and 0.01, 0.02, 0.02 below pgd_at: intervals reach 0.0143
    near = GOOD | {"sglr": [(0.85, 0.49), (0.75, 0.38), (0.79, 0.43)]}
    table = _table(tmp_path, near).assign(scale="paper")
    assert fig3.claims(table)[SGLR_SURE].verdict == "holds", "three epochs: sign only"
    claims = fig3.claims(table.replace({"epoch": {3: 200}}))
    needed = [claim.needed for claim in claims]
    assert needed == ["at least 0.1"] * 3 + ["at least 0"] * 2
    assert claims[SGLR_SURE].verdict == "fails" and claims[SGLR_ECE].verdict == "holds"


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_or_two_seeds_decide_nothing_at_any_size(table, seeds):
    few = table[table["seed"] < seeds]
    for rows in (few, few.assign(scale="paper").replace({"epoch": {3: 200}})):
        claims = fig3.claims(rows)
        assert {(claim.n, claim.verdict) for claim in claims} == {(seeds, UNDECIDED)}


def test_methods_are_compared_seed_by_seed_where_a_seed_is_missing(table):
    lost = (table["method"] == "sgls") & (table["seed"] == 0)
    claims = fig3.claims(table[~lost])
    assert [claim.n for claim in claims] == [3, 2, 3, 2, 3]
    measured = claims[SGLS_SURE].measured
    assert measured == pytest.approx((0.35 + 0.37) / 2), "of seeds 1 and 2"
    assert claims[SGLS_SURE].verdict == claims[SGLS_ECE].verdict == UNDECIDED


@pytest.mark.parametrize(
    ("method", "lost"), [("pgd_at", [0, 1, 2, 3, 4]), ("sglr", [2, 4])]
)
def test_what_needs_a_method_that_was_not_run_is_not_measured(table, method, lost):
    claims = fig3.claims(table[table["method"] != method])
    assert [n for n, claim in enumerate(claims) if claim.verdict == UNDECIDED] == lost
    assert {measured_text(claims[n]) for n in lost} == {"not measured"}


def test_networks_without_an_incorrect_prediction_still_have_a_calibration(tmp_path):
    right = GOOD | {"sgls": [(None, 0.2), (None, 0.15), (None, 0.18)]}
    claims = fig3.claims(_table(tmp_path, right))
    assert measured_text(claims[SGLS_SURE]) == "not measured"
    assert claims[SGLS_ECE].measured == pytest.approx((0.30 + 0.25 + 0.27) / 3)


def test_calibration_that_was_never_measured_is_said_to_be_so(tmp_path):
    _table(tmp_path, GOOD)
    logs = load_logs(tmp_path).query("metric != 'ece'")
    claims = fig3.claims(fig3.table(logs).assign(scale="demo"))
    assert measured_text(claims[SGLS_ECE]) == "not measured"
    assert claims[SGLS_SURE].verdict == "holds"


def test_four_panels_are_named_after_checkpoint_and_attack(table):
    figure = picture.draw(saved(table))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["best, clean", "best, PGD-20", "last, clean", "last, PGD-20"]
    first = figure.axes[0]
    assert first.get_ylabel() == "mean confidence, test"
    assert first.get_xlabel() == "predictions"
    ticks = [label.get_text() for label in first.get_xticklabels()]
    assert ticks == ["correct", "incorrect"]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [LOOKS[name].label for name in GOOD]
