"""What the pages say is what the store has."""

import json

import pytest
from made_up_logs import course
from report_stores import CLEAN, TEST, Markup, plain_run, published_analysis

from rofit.diagnostics import DIAGNOSTICS
from rofit.errors import UserError
from rofit.measures.metrics import best_last_gap
from rofit.report.analysis import published
from rofit.report.page import Target, render
from rofit.report.run import run_report
from rofit.report.store import list_runs
from rofit.store.rows import load_logs
from rofit.store.runs import RunStore


def _no_link(kind, name):
    return ""


def _page(store, *targets, **options):
    root = store.root.parent / "data"
    return Markup(render(targets, store, root, _no_link, **options))


@pytest.fixture
def store(tmp_path):
    plain_run(tmp_path / "runs")
    plain_run(tmp_path / "runs", method="trades", seed=1)
    return RunStore(tmp_path / "runs")


def test_rows_of_the_list_are_best_last_and_gap_of_each_run(store):
    expected = best_last_gap(load_logs(store.root))
    rows = list_runs(store).rows
    assert [row.run_id for row in rows] == list(expected.index)
    for row in rows:
        summary = expected.loc[row.run_id]
        assert row.outcome.best == 100 * summary["best"] == 100 * TEST[1]
        assert row.outcome.last == 100 * summary["last"] == 100 * TEST[2]
        assert row.outcome.gap == 100 * summary["gap"]
        assert row.outcome.best_epoch == 2
        assert row.clean == 100 * CLEAN[2]
        assert row.epochs == "3/3"
    assert [row.method for row in rows] == ["pgd_at", "trades"]


def test_run_that_has_only_begun_or_cannot_be_read_does_not_hide_the_others(store):
    damaged, fresh = store.root / "damaged", store.root / "fresh"
    for folder in (damaged, fresh):
        folder.mkdir()
        spec = next(store.root.glob("trades*/spec.json")).read_text()
        (folder / "spec.json").write_text(spec if folder == fresh else "{")
    page = _page(store, Target("store"))
    assert "3 runs" in page.words
    assert "damaged is left out" in page.words
    assert "0/3" in page.words


def test_page_of_a_run_that_has_only_begun_says_so(store):
    spec = next(store.root.glob("trades*/spec.json")).read_text()
    (store.root / "fresh").mkdir()
    (store.root / "fresh" / "spec.json").write_text(spec)
    page = _page(store, Target("run", "fresh")).words
    assert "No epoch is finished yet." in page and "--method trades" in page


def test_empty_store_says_so(tmp_path):
    assert "No run was started" in _page(RunStore(tmp_path), Target("store")).words


def test_page_of_a_run_has_its_numbers_command_events_and_environment(store, tmp_path):
    run = store.runs()[0]
    page = _page(store, Target("run", run.path.name)).words
    for text in ("43.8 %", "28.1 %", "15.6 points", "62.5 %", "2.00 h"):
        assert text in page
    for text in ("diagnostics gradient_norm", "done true; seconds 7200", "threads 1"):
        assert text in page
    report = run_report(run, tmp_path)
    assert report.command in page and "--set epochs=3" in report.command
    assert {s.name for s in report.differs} == {"epochs"}


def test_numbers_are_there_without_javascript(store):
    page = _page(store, Target("run", store.runs()[0].path.name))
    for value in (*TEST, *CLEAN):
        assert f"{100 * value:.4g}" in page.words


@pytest.mark.parametrize("name", DIAGNOSTICS)
def test_every_metric_stands_with_the_unit_and_the_words_of_the_registry(
    name, tmp_path
):
    kind = DIAGNOSTICS[name]
    about = {"split": "test", "attack": "pgd20", "n": 8}
    more = [
        row
        for metric in kind.columns
        if metric != "gradient_norm"
        for row in course((1.0, 2.0, 4.0), metric=metric, **about)
    ]
    run = plain_run(tmp_path / "runs", more)
    page = _page(RunStore(tmp_path / "runs"), Target("run", run.path.name)).words
    for metric, column in kind.columns.items():
        assert metric in page
        assert " ".join(column.unit.split()) in page
        assert " ".join(column.description.split()) in page
    if kind.columns:
        summary = kind.__doc__.strip().splitlines()[0].replace("``", "")
        assert summary in page


def test_metric_that_no_diagnostic_declares_is_shown_as_such(tmp_path):
    run = plain_run(tmp_path, course((1.0, 2.0), metric="mine", split="test"))
    page = _page(RunStore(tmp_path), Target("run", run.path.name)).words
    assert "mine" in page and "not one of rofit's own" in page


def test_page_of_an_analysis_has_claims_with_intervals_and_its_runs(store, tmp_path):
    ids = [store.runs()[0].path.name, "pgd_at-cifar10-00000000"]
    folder = published_analysis(tmp_path / "demo" / "fig1_gradnorm", "a text", ids)
    page = _page(store, Target("analysis", str(folder)))
    for text in ("2.00 ± 0.50 points, n = 3", "1.00 to 3.00", "above 0", "holds"):
        assert text in page.words
    assert f"1 of its runs are not in this store {ids[1]}" in page.words
    intervals = [e for t, e in page.elements if e.get("class") == "reach"]
    assert [e["d"] for e in intervals] == ["M34.0 6H98.0"]  # 1 and 3 of 0 to 3


def test_runs_in_the_same_file_are_linked_by_their_anchors(store, tmp_path):
    run = store.runs()[0].path.name
    folder = published_analysis(tmp_path / "fig1_gradnorm", "a text", [run])
    page = _page(store, Target("analysis", str(folder)), Target("run", run))
    links = [
        e["href"] for t, e in page.elements if t == "a" and e["href"][1:5] == "run-"
    ]
    assert f"#run-{run}" in links
    assert any(e.get("id") == f"run-{run}" for _, e in page.elements)


def test_result_is_found_by_name_and_scale_and_several_are_told_apart(tmp_path):
    one = published_analysis(tmp_path / "demo" / "fig1_gradnorm", "a text")
    assert published(tmp_path, "fig1_gradnorm", None) == one
    with pytest.raises(UserError, match="no results of fig1_gradnorm at scale cpu"):
        published(tmp_path, "fig1_gradnorm", "cpu")
    other = published_analysis(tmp_path / "cpu" / "fig1_gradnorm", "a text")
    manifest = json.loads((other / "manifest.json").read_text()) | {"scale": "cpu"}
    (other / "manifest.json").write_text(json.dumps(manifest))
    assert published(tmp_path, "fig1_gradnorm", "cpu") == other
    with pytest.raises(UserError, match="several results of fig1_gradnorm: name one"):
        published(tmp_path, "fig1_gradnorm", None)


def test_file_that_was_changed_after_publishing_is_named(store, tmp_path):
    from rofit.store.digests import write_text

    folder = published_analysis(tmp_path / "fig1_gradnorm", "a text")
    write_text(folder / "table.csv", "method\npgd_at\n", folder)
    target = Target("analysis", str(folder))
    assert "Not what was written" not in _page(store, target).words
    (folder / "table.csv").write_text("method\nsgls\n")
    assert "Not what was written: table.csv." in _page(store, target).words


def test_run_of_others_says_where_it_is_from_and_what_is_not_known(tmp_path):
    run = plain_run(tmp_path / "runs")
    spec = json.loads((run.path / "spec.json").read_text())
    unknown = ["drops", "epochs", "seed"]
    source = {"kind": "log", "layout": "trades", "file": "a.log", "unknown": unknown}
    (run.path / "spec.json").write_text(json.dumps(spec | {"source": source}))
    (run.path / "digests.jsonl").unlink()
    store = RunStore(tmp_path / "runs")
    page = _page(store, Target("run", run.path.name)).words
    assert "rofit did not train this run: it is from trades: a.log" in page
    assert "Not known: drops, epochs, seed." in page
    assert "epoch 3 of" not in page and "Nearest are" not in page
    assert "rofit train" not in page
    (row,) = list_runs(store).rows
    assert (row.seed, row.epochs) == ("?", "3/?")
