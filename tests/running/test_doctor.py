"""`rofit doctor` names what is wrong in a store, and mends what is made again."""

import shutil

import pytest
from command_line import rofit
from damage_cases import flip
from training_helpers import train

from rofit import evaluate
from rofit.running.doctor import examine
from rofit.store.digests import write_text
from rofit.store.rows import load_logs
from rofit.store.runs import RunFolder, RunStore

PLACES = {"store": "runs", "data": "data"}


@pytest.fixture(scope="module")
def sound(tmp_path_factory, smoke_spec):
    """A store of one run, trained and evaluated."""
    root = tmp_path_factory.mktemp("sound")
    spec = smoke_spec(val_size=16, test_size=16, blocks=(1, 1), epochs=2)
    folder, _ = train(spec, root, diagnostics=("predictions",))
    places = {"store": root / "runs", "data": root / "data"}
    evaluate(folder.path.name, attacks="clean", checkpoints="last", **places)
    return root


@pytest.fixture
def run(sound, tmp_path):
    """A copy of it, to be damaged."""
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    (run,) = RunStore(tmp_path / "runs").runs()
    return run


def _findings(run):
    return {f.file: f for f in examine(RunStore(run.path.parent))}


def _sample(run):
    return next(run.samples.glob("predictions-*"))


def _result(run):
    return next(run.path.glob("evaluations/*/result.json"))


def _left_over(run):
    (run.checkpoints / "last.tmp").write_bytes(b"half")


DAMAGE = {  # what happens -> file, what is said, whether it is mended
    "last.pt": (lambda r: flip(r.checkpoints / "last.pt"), "damaged: the run", True),
    "best.pt": (lambda r: flip(r.checkpoints / "best.pt"), "damaged", False),
    "best gone": (lambda r: (r.checkpoints / "best.pt").unlink(), "missing", False),
    "sample": (lambda r: flip(_sample(r)), "damaged", False),
    "sample gone": (lambda r: _sample(r).unlink(), "missing", False),
    "columns": (lambda r: flip(r.path / "epochs.parquet"), "missing or damaged", True),
    "done": (lambda r: flip(r.path / "done.json"), "damaged: the same", True),
    "result": (lambda r: flip(_result(r)), "damaged: the same command eval", True),
    "log": (lambda r: (r.path / "epochs.jsonl").write_text(""), "has lost the", False),
    "left over": (_left_over, "left over by a writer", True),
    "foreign": (lambda r: (r.path / "notes.txt").touch(), "is no run's", False),
}


def test_sound_store_has_no_findings(run):
    assert _findings(run) == {}
    process = rofit(run.path.parents[1], "doctor")
    assert process.code == 0 and "all is sound" in process.out


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_named_and_mended_if_it_can_be(run, what):
    damage, sentence, mended = DAMAGE[what]
    damage(run)
    (finding,) = _findings(run).values()
    assert finding.run == run.path.name and finding.what.startswith(sentence)
    assert (finding.mend is not None) == mended
    if finding.mend:
        finding.mend()
        assert finding.file not in _findings(run)


def test_mended_store_is_made_whole_by_the_same_commands(run, sound):
    for what, (damage, _, mended) in DAMAGE.items():
        if mended and what != "last.pt":
            damage(run)
    root = run.path.parents[1]
    assert rofit(root, "doctor").code == 1
    assert rofit(root, "doctor", "--mend").code == 0
    train(run.spec, root)
    places = {"store": root / "runs", "data": root / "data"}
    evaluate(run.path.name, attacks="clean", checkpoints="last", **places)
    assert _findings(run) == {}
    before = load_logs(sound / "runs")
    assert load_logs(root / "runs")["value"].tolist() == before["value"].tolist()


def test_spec_that_is_damaged_is_named_and_does_not_stop_the_others(run):
    other = run.path.with_name("other")
    shutil.copytree(run.path, other)
    (run.path / "spec.json").write_text("{")
    findings = list(examine(RunStore(run.path.parent)))
    assert [f.what[:21] for f in findings] == [f"is of run {run.path.name}"[:21]] + [
        "damaged: nobody reads"
    ]


def test_store_that_is_not_there_is_one_sentence(tmp_path):
    process = rofit(tmp_path, "doctor", "--store", "nowhere")
    assert process.code == 2
    assert process.err.strip().endswith("there is no store nowhere")


def test_file_that_a_killed_writer_has_not_put_in_place_is_put_there(run):
    """Killed between its line in the ledger and its name."""
    labels = run.samples / "labels.parquet"
    before = labels.read_bytes()
    labels.rename(run.samples / "labels.tmp")
    (finding,) = _findings(run).values()
    assert finding.file == "samples/labels.tmp" and "left over" in finding.what
    finding.mend()
    assert labels.read_bytes() == before and not _findings(run)


def test_run_that_was_killed_before_it_had_a_spec_is_no_loss(run):
    """Its digest is written, its name not taken yet: the same command begins."""
    begun = RunFolder(run.path.parent / "pgd_at-digits-00000000")
    begun.path.mkdir()
    spec = run.path / "spec.json"
    write_text(begun.path / "spec.json", spec.read_text(), begun.path)
    (begun.path / "spec.json").rename(begun.path / "spec.json.tmp")
    (finding,) = examine(RunStore(run.path.parent))
    assert (finding.run, finding.file) == (begun.path.name, "spec.json.tmp")
    assert "left over" in finding.what
    finding.mend()
    assert (begun.path / "spec.json").read_text() == spec.read_text()


def test_other_leftovers_are_removed(run):
    (run.samples / "labels.tmp").write_bytes(b"half")
    (finding,) = _findings(run).values()
    finding.mend()
    assert not (run.samples / "labels.tmp").exists() and not _findings(run)
