"""Figure 4: table and claims of logs made up by hand, and the picture of that table."""

from pathlib import Path
from statistics import fmean, stdev

import pandas as pd
import pytest
from made_up_logs import course, saved, write_run
from rofit.analyses import fig4_memorization as fig4
from rofit.figures import fig4_memorization as picture

from rofit.measures.claim_text import measured_text
from rofit.settings.spec import RunSpec
from rofit.store.rows import load_logs

UNDECIDED = "not decidable at this scale"
# At the end of three epochs: corrupted labels memorised, and clean test accuracy, which
# is 0.8 an epoch before; a pair a seed.
Ends = dict[tuple[str, str], list[tuple[float | None, float]]]
GOOD: Ends = {
    ("standard", "pgd_at"): [(0.90, 0.50), (0.95, 0.40), (0.93, 0.45)],
    ("standard", "label_smoothing"): [(0.70, 0.60), (0.72, 0.60), (0.71, 0.60)],
    ("standard", "sglr"): [(0.30, 0.75)] * 3,
    ("adversarial", "pgd_at"): [(0.40, 0.70), (0.50, 0.60), (0.44, 0.65)],
    ("adversarial", "label_smoothing"): [(0.30, 0.65)] * 3,
    ("adversarial", "sglr"): [(0.20, 0.79)] * 3,
}
# Standard training first: memorised by given labels, at most half, falls by less.
BY_HAND = [(80, 85, 83), (40 - 20, 42.5 - 20, 41.5 - 20), (30 - 5, 40 - 5, 35 - 5)]
BY_HAND += [(30, 40, 34), (15 - 10, 20 - 10, 17 - 10), (10 - 1, 20 - 1, 15 - 1)]


def _table(root: Path, ends: Ends) -> pd.DataFrame:
    for (training, method), seeds in ends.items():
        for seed, (memorised, clean) in enumerate(seeds):
            test = {"split": "test", "metric": "accuracy", "n": 64}
            rows = course([0.5, 0.8, clean], **test, attack="none")
            rows += course([0.3, 0.4, clean / 2], **test, attack="pgd20")
            train = {"split": "train", "attack": "none", "n": 60}
            for portion, labels, values in (
                ("untouched", "given", [0.6, 0.7, 0.97]),
                ("untouched", "true", [0.6, 0.7, 0.97]),
                ("corrupted", "given", [0.1, 0.2, memorised]),
                ("corrupted", "true", [0.61, 0.62, 0.63]),
            ):
                about = {"metric": "portion_accuracy", "portion": portion}
                about |= {"labels": labels}
                rows += course(values, **train, **about)
                rows += course([0.05] * 3, **train | about | {"attack": "pgd20"})
            rows += course([0.1, 0.3, 0.5], **train, metric="corrupted_ever_learnt")
            rows += course([0, 0.02, 0.04], **train, metric="corrupted_forgotten")
            rows += course([0.9] * 3, **train, metric="accuracy")
            spec = RunSpec(method=method, label_noise=0.4, epochs=3, seed=seed)
            on = {"standard": 0.0, "adversarial": 8 / 255}[training]
            write_run(root, spec.replace(epsilon=on), rows)
    return fig4.table(load_logs(root)).assign(scale="demo", data="digits, linf 8/255")


@pytest.fixture
def table(tmp_path) -> pd.DataFrame:
    return _table(tmp_path, GOOD)


def test_runs_are_three_methods_with_and_without_an_attack_on_the_same_noise():
    runs = [(spec.epsilon > 0, spec.method) for spec in fig4.runs()]
    methods = ["pgd_at", "label_smoothing", "sglr"]
    assert sorted(runs) == sorted((on, m) for on in (True, False) for m in methods)
    assert {spec.label_noise for spec in fig4.runs()} == {0.4}


def test_table_has_the_declared_columns_and_a_row_a_run_and_epoch(table):
    assert list(table) == [*fig4.COLUMNS, "scale", "data"] and len(table) == 6 * 3 * 3
    assert not table.duplicated(["training", "method", "seed", "epoch"]).any()


def test_table_holds_what_was_logged_of_clean_images(table):
    for training, end in (("standard", (0.95, 0.4)), ("adversarial", (0.5, 0.6))):
        chosen = (table["training"] == training) & (table["method"] == "pgd_at")
        run = table[chosen & (table["seed"] == 1)]
        assert run["epoch"].tolist() == [1, 2, 3]
        assert run["untouched_given"].tolist() == [0.6, 0.7, 0.97]
        assert run["corrupted_given"].tolist() == [0.1, 0.2, end[0]]
        assert run["corrupted_true"].tolist() == [0.61, 0.62, 0.63]
        assert run["ever_learnt"].tolist() == [0.1, 0.3, 0.5]
        assert run["forgotten"].tolist() == [0, 0.02, 0.04]
        assert run["test_clean"].tolist() == [0.5, 0.8, end[1]]
        assert run["test_robust"].tolist() == [0.3, 0.4, end[1] / 2]


def test_claims_measure_what_was_worked_out_by_hand_and_can_hold(table):
    claims = fig4.claims(table)
    for claim, values in zip(claims, BY_HAND, strict=True):
        assert claim.measured == pytest.approx(fmean(values))
        assert claim.spread == pytest.approx(stdev(values))
        assert claim.n == 3 and claim.unit == "points"
    assert [claim.verdict for claim in claims] == ["holds"] * 6


def test_every_claim_can_fail(tmp_path):
    bad: Ends = {run: [(0.5, 0.6)] * 3 for run in GOOD}
    forgets: list[tuple[float | None, float]] = [(0.04, 0.85), (0.05, 0.85)]
    forgets += [(0.06, 0.85)]  # the interval is -5 +- 2.48 points
    bad |= {(kind, "pgd_at"): forgets for kind in ("standard", "adversarial")}
    claims = fig4.claims(_table(tmp_path, bad))
    measured = [claim.measured for claim in claims]
    assert measured == pytest.approx([-5, -2.5 - 40, 0 - 20] * 2)
    assert [claim.verdict for claim in claims] == ["fails"] * 6


def test_at_full_size_the_thresholds_are_those_declared(tmp_path):
    near = GOOD | {
        # 44, 45, 46 points, falls by 7, 8, 9: intervals reach 2.48
        ("standard", "pgd_at"): [(0.54, 0.73), (0.55, 0.72), (0.56, 0.71)],
        ("standard", "sglr"): [(0.34, 0.75)] * 3,  # 24 points, falls by 5
        # 24, 25, 26 points, falls by 9, 10, 11
        ("adversarial", "pgd_at"): [(0.34, 0.71), (0.35, 0.70), (0.36, 0.69)],
    }
    table = _table(tmp_path, near).assign(scale="paper")
    claims = fig4.claims(table.replace({"epoch": {3: 200}}))
    needed = [f"at least {threshold}" for threshold in (50, 0, 6, 20, 0, 6)]
    assert [claim.needed for claim in claims] == needed
    assert [claim.verdict for claim in claims] == ["fails"] * 3 + ["holds"] * 3
    assert fig4.claims(table)[0].verdict == "holds", "three epochs: the sign only"


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_or_two_seeds_decide_nothing_at_any_size(table, seeds):
    few = table[table["seed"] < seeds]
    for rows in (few, few.assign(scale="paper").replace({"epoch": {3: 200}})):
        claims = fig4.claims(rows)
        assert {(claim.n, claim.verdict) for claim in claims} == {(seeds, UNDECIDED)}


def test_methods_are_compared_seed_by_seed_where_a_seed_is_missing(table):
    lost = (table["training"] == "standard") & (table["method"] == "sglr")
    claims = fig4.claims(table[~(lost & (table["seed"] == 0))])
    assert [claim.n for claim in claims] == [3, 2, 2, 3, 3, 3]
    assert [claim.verdict for claim in claims[1:3]] == [UNDECIDED] * 2
    measured = claims[1].measured
    assert measured == pytest.approx((42.5 + 41.5) / 2 - 20), "of seeds 1 and 2"


@pytest.mark.parametrize(
    ("column", "value", "lost"),
    [("method", "sglr", [1, 2, 4, 5]), ("training", "standard", [0, 1, 2])],
)
def test_what_needs_runs_that_are_not_there_is_not_measured(table, column, value, lost):
    claims = fig4.claims(table[table[column] != value])
    assert [n for n, claim in enumerate(claims) if claim.verdict == UNDECIDED] == lost
    assert {measured_text(claims[n]) for n in lost} == {"not measured"}


def test_an_end_that_was_not_measured_takes_its_seed_out(tmp_path):
    ends = [(None, 0.70), (0.50, 0.60), (0.44, 0.65)]
    claims = fig4.claims(_table(tmp_path, GOOD | {("adversarial", "pgd_at"): ends}))
    assert [claim.n for claim in claims] == [3, 3, 3, 2, 2, 3]
    assert claims[3].measured == pytest.approx((40 + 34) / 2)


def test_two_rows_of_four_panels_are_named(table):
    figure = picture.draw(saved(table))
    titles = ["untouched, given", "corrupted, given", "corrupted, true", "test, true"]
    named = [axes.get_title() for axes in figure.axes]
    assert named == [f"{title} labels" for title in titles] * 2
    left = [figure.axes[n].get_ylabel().replace("\n", " ") for n in (0, 4)]
    assert left == [
        f"{kind} training: clean accuracy (%)" for kind in ("standard", "adversarial")
    ]
    assert [axes.get_xlabel() for axes in figure.axes] == [""] * 4 + ["epoch"] * 4
    labels = [text.get_text() for text in figure.legends[0].texts]
    assert labels == ["given labels", "smoothed labels", "SGLR (our reading)"]
