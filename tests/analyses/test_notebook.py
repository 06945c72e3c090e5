"""The notebook runs on saved logs alone, and says what the readers of logs say."""

import random
from dataclasses import fields
from pathlib import Path
from statistics import fmean, stdev
from types import SimpleNamespace

import pandas as pd
import pytest
from drawn import curves
from made_up_logs import course, write_run
from matplotlib.figure import Figure
from notebooks import code, execute, output, printed, read
from rofit.figures._style import look_of
from training_helpers import train

from rofit import best_last_gap, compare, load_logs
from rofit.settings.recipes import RECIPES
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec

METHODS = ("pgd_at", "sgls")
TEST = {"metric": "accuracy", "attack": "pgd2", "measured": "epoch_end", "n": 64}
ROWS = course([0.5, 0.25], **TEST, split="test")


def _contents(store):
    return {
        path: path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file()
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """A store with a run of two epochs for each of two methods."""
    root = tmp_path_factory.mktemp("trained")
    spec = SCALES["smoke"].apply(RECIPES["sgls"].apply(RunSpec()))
    for method in METHODS:
        assert train(spec.replace(method=method), root, diagnostics=["gradient_norm"])[
            1
        ]
    write_run(root / "runs", spec.replace(method="pgd_at", epochs=3), ROWS)
    return root / "runs"


@pytest.fixture(scope="module")
def executed(store, tmp_path_factory):
    """The notebook after it has read that store, as a kernel of its own leaves it."""
    before = _contents(store)
    home = tmp_path_factory.mktemp("home")
    notebook = execute("explore_logs", home, ROFIT_STORE=str(store))
    assert _contents(store) == before
    return notebook


def _alike(store):
    """Return the rows of the trained runs, which are alike in all but the method."""
    logs = load_logs(store)
    return logs[logs["epochs"] == 2]


def test_every_cell_runs_without_an_error_or_a_warning(executed):
    assert all(cell.execution_count for cell in code(executed))
    for cell in code(executed):
        streams = {output.get("name", "stdout") for output in cell.outputs}
        assert streams <= {"stdout"}, cell.outputs


def test_notebook_ends_with_the_assertion_that_nothing_imported_torch(executed):
    assert code(executed)[-1].source == 'assert "torch" not in sys.modules'
    assert code(executed)[-1].execution_count == len(code(executed))


def test_notebook_reads_the_store_it_is_told_and_runs_by_default(executed, store):
    said = printed(executed, "load_logs(store)")
    assert f"{len(load_logs(store)):,} numbers of 3 runs in {store}" in said
    (load,) = (c.source for c in code(executed) if "load_logs(store)" in c.source)
    assert 'os.environ.get("ROFIT_STORE", "runs")' in load


def test_runs_of_another_setting_are_left_out_and_counted(executed):
    said = printed(executed, "family_id")
    assert "2 finished runs of pgd_at, sgls; attacked by pgd2\n" in said
    assert "left out: 1 finished runs of other settings" in said


def test_notebook_draws_three_figures(executed):
    assert len(output(executed, "plt.show()", "image/png")) == 3
    assert len(output(executed, "", "image/png")) == 3


def test_tables_of_the_notebook_are_those_of_the_readers(executed, store):
    logs = _alike(store)
    (shown,) = output(executed, "compare(done", "text/html")
    assert shown == compare(logs).round(3)._repr_html_()
    (shown,) = output(executed, "chosen.insert", "text/html")
    twin = best_last_gap(logs)
    twin.insert(
        0, "method", logs.drop_duplicates("run_id")["method"].astype(str).values
    )
    assert shown == twin.round(3)._repr_html_()


def test_the_setting_and_the_parameters_with_the_most_runs_are_taken(tmp_path):
    noisy = RunSpec(method="sgls", method_params=(("start", 0.5),))
    alike = [noisy.replace(seed=seed) for seed in (0, 1)]
    alike += [RunSpec(method="pgd_at", seed=seed) for seed in (0, 1)]
    longer = RunSpec(method="pgd_at", epochs=3)
    other = [RunSpec(method="sgls"), *(longer.replace(seed=s) for s in range(3))]
    for spec in (*alike, *other):
        write_run(tmp_path, spec, ROWS)
    names = {"logs": load_logs(tmp_path), "fields": fields, "RunSpec": RunSpec}
    names["store"] = "here"
    exec(_source("family_id"), names)
    assert set(names["done"]["run_id"]) == {spec.run_id for spec in alike}
    assert len(compare(names["done"])) == 2


RUNS = {"pgd_at": ["a", "b", "c"], "focal_at": ["d", "e", "f"]}
GAPS = {"pgd_at": [0.02, 0.05, 0.14], "focal_at": [0.01, 0.07, 0.08]}


def _source(text: str) -> str:
    (source,) = (c.source for c in code(read("explore_logs")) if text in c.source)
    return source


def test_curves_of_the_notebook_are_means_and_bands_standard_deviations():
    draws = random.Random(0)
    columns = [run for runs in RUNS.values() for run in runs]
    values = {run: [draws.random() for _ in range(4)] for run in columns}
    names = {
        "methods": list(RUNS),
        "method_of": {run: method for method, runs in RUNS.items() for run in runs},
        "look_of": look_of,
    }
    exec(_source("def draw("), names)
    axes = Figure().subplots()
    names["draw"](axes, pd.DataFrame(values, index=[1, 2, 3, 4]), "--")
    drawn = curves(axes)
    assert list(drawn) == [(look_of(m).color.lower(), "--") for m in RUNS]
    for curve, runs in zip(drawn.values(), RUNS.values(), strict=True):
        at = list(zip(*(values[run] for run in runs), strict=True))
        assert curve.x == [1, 2, 3, 4]
        assert curve.y == pytest.approx([fmean(v) for v in at])
        assert curve.low == pytest.approx([fmean(v) - stdev(v) for v in at])
        assert curve.high == pytest.approx([fmean(v) + stdev(v) for v in at])


def test_gaps_of_the_notebook_are_points_with_mean_and_standard_deviation():
    figure = Figure()
    axes = figure.subplots()
    rows = [(method, gap) for method, gaps in GAPS.items() for gap in gaps]
    pyplot = SimpleNamespace(subplots=lambda **_: (figure, axes), show=lambda: None)
    names = {"methods": list(GAPS), "look_of": look_of, "plt": pyplot}
    names["chosen"] = pd.DataFrame(rows, columns=["method", "gap"])
    exec(_source("gap, best minus last (points"), names)
    points = [line for line in axes.lines if len(line.get_xdata()) == 3]
    for place, (method, gaps) in enumerate(GAPS.items()):
        in_points = [100 * gap for gap in gaps]
        assert list(points[place].get_ydata()) == pytest.approx(in_points)
        assert list(points[place].get_xdata()) == [place] * 3
        mean, _, (bar,) = axes.containers[place]
        assert list(mean.get_ydata()) == pytest.approx([fmean(in_points)])
        ends = [
            fmean(in_points) - stdev(in_points),
            fmean(in_points) + stdev(in_points),
        ]
        assert bar.get_segments()[0][:, 1].tolist() == pytest.approx(ends)
        for artist in (points[place], mean):
            assert artist.get_color() == look_of(method).color
    labels = [tick.get_text() for tick in axes.get_xticklabels()]
    assert labels == [look_of(method).label for method in GAPS]


CASES = {  # test robust accuracy from epoch 1 on, best epoch -> where it sets in
    "falls and stays": ([0.3, 0.5, 0.49, 0.47, 0.46, 0.40], 2, 4),
    "comes back once": ([0.3, 0.5, 0.40, 0.49, 0.46, 0.40], 2, 5),
    "comes back at the end": ([0.3, 0.5, 0.40, 0.40, 0.40, 0.49], 2, None),
    "exactly two points": ([0.45, 0.43, 0.43], 1, 2),
    "just below two points": ([0.45, 0.4301, 0.4301], 1, None),
    "low before the best": ([0.1, 0.1, 0.5, 0.5], 3, None),
    "the best is the last": ([0.1, 0.2], 2, None),
    "higher than the chosen": ([0.5, 0.6, 0.47], 1, 3),
}


@pytest.mark.parametrize(("test", "best", "expected"), CASES.values(), ids=CASES)
def test_onset_is_the_epoch_from_which_the_fall_stays(test, best, expected):
    names = {"pd": pd}
    exec(_source("def sets_in("), names)
    line = pd.Series(test, index=range(1, len(test) + 1))
    onset = names["sets_in"](line, best)
    assert onset is pd.NA if expected is None else onset == expected
