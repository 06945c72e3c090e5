"""Disks that take no more: one sentence, exit code 1, and the same command goes on.

A file that is written under another name and renamed finds /dev/full there; one that
grows finds a limit on the size of files; the folder of a run finds itself removed.
"""

import os
import random
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_line import rofit
from evaluated_runs import SPEC
from training_helpers import last_state, same

from rofit.settings.spec import RunSpec
from rofit.store.evaluations import evaluations
from rofit.store.runs import RunFolder, RunStore
from rofit.training import loop
from rofit.writing import NotWritten

resource = pytest.importorskip("resource", reason="Windows has no limits of files")
FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="needs Linux's /dev/full")
MOMENTS = int(os.environ.get("ROFIT_ABUSE", "1"))
TRAIN = "train --scale smoke --quiet --keep 1 --watch predictions".split()
TRAIN += ["--set", "val_size=16", "--set", "test_size=16"]
SENTENCE = re.compile(
    r"rofit: .+ cannot be written \((No space left on device|File too large)\)"
    r"(; (epoch \d|nothing) of the run is kept|; of the verdicts (none|those) so far "
    r"are kept)?(: the same command goes on)?\n"
)
# What a run writes, as the path under which it does so.
WRITTEN = """
spec.json.tmp env.json.tmp samples/labels.tmp samples/predictions-0002.tmp
checkpoints/last.tmp checkpoints/best.tmp checkpoints/epoch-0001.tmp epochs.parquet.tmp
done.json.tmp
""".split()


@contextmanager
def no_file_above(size):
    """Let this process write no file of more bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def is_one_sentence(answer, name=""):
    assert answer.code == 1, answer
    assert SENTENCE.fullmatch(answer.err), answer.err
    assert name in answer.err


def are_equal(one, other):
    """Assert that two runs are the same bit for bit."""
    same(last_state(one), last_state(other))
    files = [one.path / n for n in ("epochs.jsonl", "done.json", "spec.json")]
    for file in [*files, *one.samples.iterdir()]:
        name = file.relative_to(one.path)
        assert file.read_bytes() == (other.path / name).read_bytes(), name
    assert not list(other.path.rglob("*.tmp"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of a disk that is large enough."""
    home = tmp_path_factory.mktemp("whole")
    assert rofit(home, *TRAIN).code == 0
    (folder,) = RunStore(home / "runs").runs()
    return folder


def goes_on(whole, home):
    """Assert that the same command ends with the same bits."""
    assert rofit(home, *TRAIN).code == 0
    are_equal(whole, RunStore(home / "runs").folder(whole.path.name))


@pytest.mark.parametrize("name", WRITTEN)
def test_training_goes_on_after_a_file_that_was_not_taken(whole, tmp_path, name):
    file = tmp_path / "runs" / whole.path.name / name
    file.parent.mkdir(parents=True)
    file.symlink_to(FULL)
    answer = rofit(tmp_path, *TRAIN)
    is_one_sentence(answer, Path(name).stem.removesuffix(".json"))
    assert ("epoch 2 of the run is kept" in answer.err) == (
        name in ("epochs.parquet.tmp", "done.json.tmp")
    )
    goes_on(whole, tmp_path)


def limits(whole):
    """Return limits that the two files that grow meet, and others by chance."""
    largest = (whole.checkpoints / "last.pt").stat().st_size
    rng = random.Random(16)
    by_chance = [rng.randrange(largest) for _ in range(MOMENTS - 1)]
    return [(whole.path / "epochs.jsonl").stat().st_size - 99, *by_chance]


def test_training_goes_on_after_rows_that_were_not_taken(whole, tmp_path):
    for number, limit in enumerate(limits(whole)):
        home = tmp_path / str(number)
        with no_file_above(limit):
            is_one_sentence(rofit(home, *TRAIN))
        goes_on(whole, home)
        shutil.rmtree(home)


def test_event_that_was_half_taken_spoils_no_later_one(tmp_path):
    folder = RunFolder(tmp_path)
    folder.event("start", diagnostics=["one"])
    size = (tmp_path / "events.jsonl").stat().st_size
    with no_file_above(size + 9), pytest.raises(NotWritten, match="events.jsonl"):
        folder.event("resume", diagnostics=["two"])
    assert (tmp_path / "events.jsonl").stat().st_size == size
    folder.event("resume", diagnostics=["three"])
    assert folder.watched() == set()


@pytest.mark.parametrize("begun_anew", [False, True])
def test_run_whose_folder_is_removed_stops_and_leaves_none(
    tmp_path, monkeypatch, begun_anew
):
    """Nor does it write into the folder of another process that begins it anew."""
    train_epoch = loop.train_epoch
    (folder,) = (RunStore(tmp_path / "runs").folder(i) for i in ["gone"])
    monkeypatch.setattr(RunSpec, "run_id", "gone")

    def remove_and_train(*args):
        shutil.rmtree(folder.path, ignore_errors=True)
        if begun_anew:
            with folder.opened({}):
                pass
        return train_epoch(*args)

    monkeypatch.setattr(loop, "train_epoch", remove_and_train)
    answer = rofit(tmp_path, *TRAIN)
    assert answer.code == 1 and answer.err.count("\n") == 1
    assert "gone cannot be written (" in answer.err
    assert "nothing of the run is kept" in answer.err
    names = {path.name for path in folder.path.rglob("*")}
    assert names == ({"spec.json", "lock", "digests.jsonl"} if begun_anew else set())


@pytest.mark.parametrize("name", ["part-1of1", "samples", "result.json"])
def test_evaluation_goes_on_with_the_verdicts_that_are_kept(digits_run, tmp_path, name):
    words = ["eval", SPEC.run_id, "--attack", "pgd2", "--n", "16", "--quiet"]
    folder = RunFolder(tmp_path / "runs" / SPEC.run_id)
    shutil.copytree(digits_run.path, folder.path)
    kept = folder.path / "evaluations"
    shutil.rmtree(kept, ignore_errors=True)
    assert rofit(tmp_path, *words, "--checkpoint", "last").code == 0
    (once,) = evaluations(folder)
    shutil.rmtree(kept)
    own = "" if name == "result.json" else f".{os.getpid()}"
    file = kept / once["name"] / f"{name}{own}.tmp"
    file.parent.mkdir(parents=True)
    file.symlink_to(FULL)
    is_one_sentence(rofit(tmp_path, *words, "--checkpoint", "last"), name)
    assert rofit(tmp_path, *words, "--checkpoint", "last").code == 0
    (again,) = evaluations(folder)
    for key in ("name", "accuracy", "after"):
        assert again[key] == once[key]


def test_picture_that_was_not_taken_is_drawn_by_the_same_command(tmp_path):
    words = ["run", "fig1_gradnorm", "--scale", "smoke", "--quiet"]
    folder = tmp_path / "results" / "smoke" / "fig1_gradnorm"
    for name in ("table.csv.tmp", "fig1_gradnorm.png"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(FULL)
        is_one_sentence(rofit(tmp_path, *words))
        (folder / name).unlink(missing_ok=True)
    answer = rofit(tmp_path, *words)
    assert answer.code == 0 and (folder / "fig1_gradnorm.png").stat().st_size > 1000


def test_export_that_was_not_taken_goes_on(whole, tmp_path):
    words = ["export", whole.path.name, "--out", tmp_path / "copies"]
    copy = tmp_path / "copies" / whole.path.name / "epochs.jsonl"
    copy.parent.mkdir(parents=True)
    copy.with_name("epochs.jsonl.tmp").symlink_to(FULL)
    is_one_sentence(rofit(whole.path.parents[1], *words))
    copy.with_name("epochs.jsonl.tmp").unlink(missing_ok=True)
    assert rofit(whole.path.parents[1], *words).code == 0
    assert copy.read_bytes() == (whole.path / "epochs.jsonl").read_bytes()
