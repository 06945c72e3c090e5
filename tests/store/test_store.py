"""The run store: what a folder holds, whose it is, and how it is found."""

import json

import pytest

from rofit.errors import UserError
from rofit.settings.spec import RunSpec
from rofit.store.places import Places, home
from rofit.store.runs import RunFolder, RunStore, read_events, read_rows

SPEC = RunSpec(method="sgls", method_params=(("start", 0.5),), blocks=(1, 2), seed=3)
ROWS = [
    {"epoch": 1, "split": "test", "metric": "accuracy", "value": 0.25},
    {"epoch": 2, "split": "test", "metric": "accuracy", "value": 0.5},
    {"epoch": 3, "split": "test", "metric": "accuracy", "value": 1 / 3},
]


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    run_folder = RunStore(tmp_path / "runs").folder(SPEC.run_id)
    with run_folder.opened(SPEC.as_dict()):
        pass
    return run_folder


def test_opening_makes_the_folder_and_writes_the_spec_it_returns(folder):
    assert json.loads((folder.path / "spec.json").read_text()) == SPEC.as_dict()
    assert folder.spec == SPEC


def test_field_younger_than_the_folder_has_its_default(folder):
    """A spec.json of an older version lacks it: the run is the same run."""
    stored = SPEC.as_dict()
    del stored["eval_every"], stored["method_params"]["start"]
    (folder.path / "digests.jsonl").unlink()
    (folder.path / "spec.json").write_text(json.dumps(stored))
    with folder.opened(SPEC.as_dict()):
        pass
    assert folder.spec == SPEC.replace(method_params=())
    for other in (SPEC.replace(eval_every=2), SPEC.replace(seed=4)):
        with pytest.raises(UserError, match="is not the spec of run"):
            with folder.opened(other.as_dict()):
                pytest.fail("opened for another spec")


def test_folder_opens_again_for_the_same_spec_only(folder):
    with folder.opened(SPEC.as_dict()) as again:
        assert again is folder
    before = (folder.path / "spec.json").read_bytes()
    other = SPEC.replace(seed=4).as_dict()
    with pytest.raises(UserError, match=r"spec\.json is not the spec of run .*; move"):
        with folder.opened(other):
            pytest.fail("opened for another spec")
    assert (folder.path / "spec.json").read_bytes() == before


def test_state_goes_from_missing_to_started_to_partial_to_done(tmp_path):
    folder = RunStore(tmp_path).folder("run")
    assert folder.state == "missing"
    folder.path.mkdir()
    (folder.path / "lock").touch()
    assert folder.state == "missing"
    with folder.opened({}):
        assert folder.state == "started"
        folder.event("start")
        assert folder.state == "started"
        folder.append(ROWS[:1])
        assert folder.state == "partial"
        folder.finish({"epochs": 1})
    assert folder.state == "done"
    assert json.loads((folder.path / "done.json").read_text()) == {"epochs": 1}


def test_rows_are_read_as_they_were_appended(folder):
    folder.append(ROWS[:1])
    folder.append(ROWS[1:])
    assert list(read_rows(folder.path)) == ROWS


def test_numbers_hold_no_time_and_events_do(folder):
    folder.append(ROWS)
    before = (folder.path / "epochs.jsonl").read_bytes()
    folder.event("resume", epoch=3)
    assert (folder.path / "epochs.jsonl").read_bytes() == before
    (event,) = read_events(folder.path)
    assert event["event"] == "resume" and event["epoch"] == 3
    assert event["at"].endswith("Z") and len(event["at"]) == len("2026-01-01T00:00:00Z")


def test_watched_is_what_every_start_and_resume_was_watched_by(folder):
    assert folder.watched() == set()
    folder.event("start", diagnostics=["norm", "iiw"])
    folder.event("stop", epoch=1)
    assert folder.watched() == {"norm", "iiw"}
    folder.event("resume", diagnostics=["ece", "norm"])
    assert folder.watched() == {"norm"}


@pytest.mark.parametrize("epoch", [0, 1, 2, 3, 4])
def test_keep_epochs_to_leaves_what_an_unbroken_run_had_written(
    folder, tmp_path, epoch
):
    unbroken = RunFolder(tmp_path)
    unbroken.append(ROWS[:epoch])
    expected = (tmp_path / "epochs.jsonl").read_bytes()

    folder.append(ROWS)
    with open(folder.path / "epochs.jsonl", "a") as file:
        file.write('{"epoch": 1, "split": "te')
    folder.keep_epochs_to(epoch)

    left = folder.path / "epochs.jsonl"
    assert (left.read_bytes() if left.exists() else b"") == expected
    assert left.exists() == (epoch > 0)


def test_file_cut_anywhere_gives_the_rows_that_are_whole(folder):
    folder.append(ROWS)
    path = folder.path / "epochs.jsonl"
    whole = path.read_bytes()
    ends = [i for i, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        assert list(read_rows(folder.path)) == ROWS[: sum(end <= cut for end in ends)]


def test_find_takes_an_id_its_beginning_or_its_end(tmp_path):
    store = RunStore(tmp_path)
    for name in ("pgd_at-digits-aaaa1111", "sgls-digits-bbbb2222", "sgls"):
        with store.folder(name).opened({}):
            pass
    for text in ("pgd_at-digits-aaaa1111", "pgd", "aaaa1111", "1111"):
        assert store.find(text).path.name == "pgd_at-digits-aaaa1111"
    assert store.find("sgls").path.name == "sgls"  # whole, though others begin so


def test_find_refuses_none_and_several_and_names_them(tmp_path):
    store = RunStore(tmp_path)
    with pytest.raises(UserError, match=r"no single run 'x' in .*; matching: none"):
        store.find("x")
    for name in ("sgls-digits-a1", "sgls-digits-b1", "pgd_at-digits-a1"):
        with store.folder(name).opened({}):
            pass
    with pytest.raises(UserError, match="matching: sgls-digits-a1, sgls-digits-b1$"):
        store.find("sgls")
    with pytest.raises(UserError, match="matching: pgd_at-digits-a1, sgls-digits-a1$"):
        store.find("a1")


def test_runs_are_the_folders_with_a_spec_sorted_by_name(tmp_path):
    assert RunStore(tmp_path / "nowhere").runs() == []
    store = RunStore(tmp_path)
    (tmp_path / "notes").mkdir()
    for name in ("b", "a"):
        with store.folder(name).opened({}):
            pass
    assert [folder.path.name for folder in store.runs()] == ["a", "b"]


@pytest.mark.parametrize("text", [None, "", "{", '{"epochs": '])
def test_spec_that_cannot_be_read_is_one_sentence(folder, text):
    path = folder.path / "spec.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(UserError, match=f"expected a spec.json at {path}, got"):
        _ = folder.spec


NO_OBJECTS = [
    b"[]",
    b"3",
    b'{"method_params": 3}',
    b"\xff\xfe{}",
]


@pytest.mark.parametrize("data", NO_OBJECTS)
def test_spec_that_is_no_object_is_one_sentence(folder, data):
    (folder.path / "spec.json").write_bytes(data)
    with pytest.raises(UserError):
        _ = folder.spec


def test_places_are_the_given_folders_else_those_of_the_home(tmp_path, monkeypatch):
    monkeypatch.delenv("ROFIT_HOME", raising=False)
    assert str(home()) == "."
    monkeypatch.setenv("ROFIT_HOME", str(tmp_path))
    default = Places(tmp_path / "runs", tmp_path / "results", tmp_path / "data")
    assert Places.given() == default
    given = Places.given(store=str(tmp_path / "s"), results=str(tmp_path / "r"))
    assert given == Places(tmp_path / "s", tmp_path / "r", tmp_path / "data")
