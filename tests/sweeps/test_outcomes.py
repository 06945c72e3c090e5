"""The table of a sweep against numbers made by hand, and its picture."""

import math

import pytest
from made_up_logs import course, write_run
from rofit.figures import _sweep
from scipy import stats

from rofit.settings.spec import RunSpec
from rofit.sweeps.outcomes import table

SEEDS = (0, 1, 2)
# lr -> a run a seed: validation and test robust accuracy by epoch, per cent.
COURSES = {
    0.1: [
        ([30, 40, 20], [31, 38, 25]),
        ([33, 44, 9], [30, 39, 24]),
        ([1, 42, 3], [9, 43, 29]),
    ],
    0.2: [
        ([50, 20, 20], [34, 60, 29]),
        ([48, 20, 9], [35, 60, 29]),
        ([45, 2, 3], [39, 60, 30]),
    ],
}
VAL = {0.1: [40, 44, 42], 0.2: [50, 48, 45]}
BEST = {0.1: [38, 39, 43], 0.2: [34, 35, 39]}  # of test at the epoch that val chose
LAST = {0.1: [25, 24, 29], 0.2: [29, 29, 30]}


def _spec(lr, seed, **changes):
    return RunSpec(method="sglr", epochs=3, lr=lr, seed=seed, **changes)


def _write(root, spec, val, test):
    rows = []
    for split, values in (("val", val), ("test", test)):
        about = {"split": split, "attack": "pgd20", "measured": "epoch_end", "n": 64}
        rows += course([v / 100 for v in values], **about, metric="accuracy")
    write_run(root, spec, rows)


@pytest.fixture
def settings(tmp_path):
    """Ids of the runs of both settings, in a store."""
    for lr, courses in COURSES.items():
        for seed, (val, test) in zip(SEEDS, courses, strict=True):
            _write(tmp_path, _spec(lr, seed), val, test)
    return [[_spec(lr, seed).run_id for seed in SEEDS] for lr in COURSES]


def _interval(values):
    """Return Student's t interval by SciPy's own distribution."""
    mean, error = sum(values) / len(values), stats.sem(values)
    return stats.t.interval(0.95, len(values) - 1, loc=mean, scale=error)


def test_means_and_intervals_are_those_of_the_runs(tmp_path, settings):
    rows = table(tmp_path, settings, ["lr"]).set_index("lr")
    for lr in COURSES:
        gap = [best - last for best, last in zip(BEST[lr], LAST[lr], strict=True)]
        by_name = {"val": VAL[lr], "best": BEST[lr], "last": LAST[lr], "gap": gap}
        for name, values in by_name.items():
            row = rows.loc[lr]
            assert row[name] == pytest.approx(sum(values) / 3)
            assert row[f"{name}_std"] == pytest.approx(stats.tstd(values))
            ends = (row[f"{name}_low"], row[f"{name}_high"])
            assert ends == pytest.approx(_interval(values))


def test_best_setting_is_validations_choice_and_not_the_test_images(tmp_path, settings):
    rows = table(tmp_path, settings, ["lr"])
    assert list(rows["chosen"]) == [False, True]
    assert rows["best"].idxmax() == 0  # which the test images would have chosen


def test_difference_to_the_chosen_is_paired_by_seed(tmp_path, settings):
    other, chosen = table(tmp_path, settings, ["lr"]).to_dict("records")
    assert math.isnan(chosen["minus_chosen"])
    assert other["minus_chosen"] == pytest.approx(4)  # each seed: 4, exactly
    ends = (other["minus_chosen_low"], other["minus_chosen_high"])
    assert ends == pytest.approx((4, 4))  # unpaired it would be from -2 to 10


def test_one_seed_has_no_interval_and_first_of_equals_is_chosen(tmp_path):
    specs = [_spec(lr, 0) for lr in (0.1, 0.2)]
    for spec in specs:
        _write(tmp_path, spec, [1, 2, 3], [4, 5, 6])
    rows = table(tmp_path, [[spec.run_id] for spec in specs], ["lr"])
    assert rows[["best_std", "best_low", "minus_chosen_low"]].isna().all(axis=None)
    assert list(rows["chosen"]) == [True, False] and rows["minus_chosen"][1] == 0


def test_nothing_is_best_where_accuracies_mean_different_things(tmp_path):
    specs = [_spec(0.1, 0, epsilon=epsilon) for epsilon in (0.01, 0.02)]
    for spec in specs:
        _write(tmp_path, spec, [1, 2, 3], [4, 5, 6])
    rows = table(tmp_path, [[spec.run_id] for spec in specs], ["epsilon"])
    assert not rows["chosen"].any() and rows["minus_chosen"].isna().all()


def test_parameters_and_tuples_are_columns(tmp_path):
    specs = [
        _spec(0.1, 0, method_params={"r": r}, drops=drops)
        for r, drops in ((0.5, (0.25, 0.5)), (0.8, ()))
    ]
    for spec in specs:
        _write(tmp_path, spec, [1, 2, 3], [4, 5, 6])
    rows = table(tmp_path, [[spec.run_id] for spec in specs], ["r", "drops"])
    assert list(rows["r"]) == [0.5, 0.8] and list(rows["drops"]) == ["0.25,0.5", "none"]


def test_picture_has_a_panel_a_field_with_the_means_and_intervals(tmp_path, settings):
    rows = table(tmp_path, settings, ["lr", "method"]).assign(scale="demo", data="x")
    figure = _sweep.draw(rows, ["lr", "method"], 3)
    by_lr, by_method = figure.axes
    assert (by_lr.get_xlabel(), by_method.get_xlabel()) == ("lr", "method")
    assert [text.get_text() for text in by_method.get_xticklabels()] == ["sglr"]
    for box, accuracies in zip(by_lr.containers, (BEST, LAST), strict=True):
        line, _, (bars,) = box
        assert list(line.get_xdata()) == [0.1, 0.2]
        means = [sum(accuracies[lr]) / 3 for lr in COURSES]
        assert list(line.get_ydata()) == pytest.approx(means)
        for segment, lr in zip(bars.get_segments(), COURSES, strict=True):
            assert list(segment[:, 1]) == pytest.approx(_interval(accuracies[lr]))
    ring = by_lr.lines[-1]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (0.2, pytest.approx(36))


def test_axis_of_values_that_lie_far_apart_is_logarithmic(tmp_path):
    specs = [_spec(lr, 0) for lr in (0.01, 0.1, 1.0)]
    for spec in specs:
        _write(tmp_path, spec, [1, 2, 3], [4, 5, 6])
    rows = table(tmp_path, [[spec.run_id] for spec in specs], ["lr"])
    rows = rows.assign(scale="demo", data="x")
    assert _sweep.draw(rows, ["lr"], 1).axes[0].get_xscale() == "log"
    assert _sweep.draw(rows[1:], ["lr"], 1).axes[0].get_xscale() == "linear"
