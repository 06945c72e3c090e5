"""Code that has changed since a run was trained is noticed, and trains it beside."""

import pytest
from training_helpers import train as train_in

from rofit import train
from rofit.commands.inventory import run_row
from rofit.progress import Report
from rofit.running import runner
from rofit.store import environment
from rofit.store.rows import load_logs
from rofit.store.runs import RunStore, read_events


@pytest.fixture
def spec(smoke_spec):
    return smoke_spec(method="sgls", val_size=16, test_size=16, blocks=(1, 1), epochs=2)


@pytest.fixture
def edited(monkeypatch):
    """Edit, as it were, the file of the method sgls."""

    def edit():
        sources = environment.method_code
        for module in (environment, runner):
            monkeypatch.setattr(
                module, "method_code", lambda spec: sources(spec) | {"sgls": "0"}
            )

    return edit


def _train(spec, root, **options):
    return train(spec, store=root / "runs", data=root / "data", **options)[0]


def test_sources_are_of_all_methods_that_a_run_takes_parts_of(spec):
    combined = spec.replace(method="pgd_at", labels_from="sgls", weights_from=("awp",))
    sources = environment.method_code(combined)
    assert set(sources) == {"pgd_at", "sgls", "awp"}
    assert len(set(sources.values())) == 3
    assert environment.method_code(spec) == {"sgls": sources["sgls"]}


def test_done_run_of_an_edited_method_is_said_to_be_of_other_code(
    spec, tmp_path, edited
):
    folder = _train(spec, tmp_path)
    assert _train(spec, tmp_path).state == "done"  # and not a word
    assert run_row(folder, spec)["changed since"] == ""
    edited()
    with pytest.warns(UserWarning, match="is done, by other code: method sgls; rofit"):
        _train(spec, tmp_path)
    assert run_row(folder, spec)["changed since"] == "method sgls"
    assert [event["event"] for event in read_events(folder.path)] == ["start", "stop"]


def test_another_version_of_rofit_is_said_to_be_other_code(spec, tmp_path, monkeypatch):
    folder = _train(spec, tmp_path)
    before = environment._version("rofit")
    monkeypatch.setattr(environment, "_version", lambda package: "9.9")
    assert environment.changes_since(folder, spec) == [f"rofit {before} -> 9.9"]


def test_run_of_before_sources_were_recorded_is_believed(spec, tmp_path, edited):
    folder = _train(spec, tmp_path)
    events = folder.path / "events.jsonl"
    events.write_text(events.read_text().replace("method_code", "anything"))
    edited()
    assert environment.changes_since(folder, spec) == []


def test_resumed_run_says_that_its_method_has_changed(
    spec, tmp_path, edited, monkeypatch
):
    notes = []
    monkeypatch.setattr(Report, "note", lambda self, text: notes.append(text))
    steps = -(-spec.train_size // spec.batch_size)
    folder, _ = train_in(spec, tmp_path, stop_after=steps)
    edited()
    _, done = train_in(spec, tmp_path)
    assert done and notes == ["method sgls has changed since the run was begun"]
    assert environment.changes_since(folder, spec) == []  # it is recorded now


def test_again_trains_anew_and_keeps_the_old_run_where_nobody_reads_it(spec, tmp_path):
    folder = _train(spec, tmp_path)
    for kept in (1, 2):
        before = folder.path.stat().st_ino
        assert _train(spec, tmp_path, again=True).state == "done"
        earlier = tmp_path / "runs" / "earlier" / f"{spec.run_id}-{kept}"
        assert earlier.stat().st_ino == before
        assert (earlier / "done.json").exists()
    assert load_logs(tmp_path / "runs")["run_id"].unique().tolist() == [spec.run_id]
    assert [run.path.name for run in RunStore(tmp_path / "runs").runs()] == [
        spec.run_id
    ]


def test_again_goes_on_with_what_is_not_done(spec, tmp_path):
    folder = _train(spec, tmp_path, max_minutes=0)
    assert folder.state != "done"
    assert _train(spec, tmp_path, again=True).state == "done"
    assert not (tmp_path / "runs" / "earlier").exists()


def test_words_and_layout_of_a_method_are_no_code():
    plain = 'def build(a):\n    """Return a."""\n    return a + 1\n'
    same = '"""A method."""\n\ndef build(a): return (a + 1)  # as before\n'
    other = plain.replace("+ 1", "+ 2")
    assert environment._code(plain) == environment._code(same)
    assert environment._code(plain) != environment._code(other)


def test_what_decides_which_runs_there_may_be_is_no_code():
    code = "x = 1\n"
    assert (
        environment._code(f"MIXES = True\nAS_RELEASED = {{'a': 1}}\n{code}") == "x = 1"
    )
    assert environment._code(f"TEACHERS = {{}}\n{code}") != "x = 1"


def test_run_of_an_older_version_is_held_against_the_whole_file(spec, tmp_path):
    """Which recorded the digest of the file's bytes."""
    folder = _train(spec, tmp_path)
    events = folder.path / "events.jsonl"
    new = environment.method_code(spec)["sgls"]
    (file,) = environment._method_files(spec).values()
    old = environment._digest(file.read_bytes())
    text = events.read_text().replace("method_code", "method_sources")
    events.write_text(text.replace(new, old))
    assert run_row(folder, spec)["changed since"] == ""
    events.write_text(text.replace(new, "0"))
    assert run_row(folder, spec)["changed since"] == "method sgls"
