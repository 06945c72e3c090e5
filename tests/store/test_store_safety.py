"""One writer at a time, whole files or the old ones, and errors in words."""

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from rofit.errors import UserError
from rofit.store.files import write_text
from rofit.store.rows import load_logs
from rofit.store.runs import RunFolder, RunStore, read_rows
from rofit.writing import NotWritten

HOLD = """
import sys, pathlib
from rofit.store.runs import RunFolder
with RunFolder(pathlib.Path(sys.argv[1])).opened({}):
    print("held", flush=True)
    sys.stdin.read()
"""
BUSY = "run a-run is being trained by another process; wait for it"


def _open(folder: RunFolder) -> None:
    with folder.opened({}):
        pass


def test_second_opener_is_refused_and_may_open_when_the_first_is_through(tmp_path):
    path = tmp_path / "a-run"
    with RunFolder(path).opened({}):
        with pytest.raises(UserError, match=BUSY):
            _open(RunFolder(path))
    _open(RunFolder(path))


@pytest.mark.parametrize("run_id", ["../a-run", "..", "a/b", "", "x" * 256])
def test_run_outside_of_the_store_has_no_folder(tmp_path, run_id):
    with pytest.raises(UserError, match="a run's id must be a name"):
        RunStore(tmp_path / "runs").folder(run_id)
    with pytest.raises(UserError, match="a run's id must be a name"):
        load_logs(tmp_path / "runs", [run_id])


def test_error_inside_gives_the_folder_free(tmp_path):
    folder = RunFolder(tmp_path / "a-run")
    with pytest.raises(KeyError):
        with folder.opened({}):
            raise KeyError("x")
    _open(folder)


def test_other_process_holds_the_folder_until_it_is_killed(tmp_path):
    path = tmp_path / "a-run"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            with pytest.raises(UserError, match=BUSY):
                _open(RunFolder(path))
        finally:
            other.kill()
    _open(RunFolder(path))


@pytest.mark.parametrize("name", ["store", "store/a-run"])
def test_file_in_the_place_of_a_folder_is_one_sentence(tmp_path, name):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.touch()
    sentence = r"the store .*store cannot be written \(.*\); choose another with --stor"
    with pytest.raises(UserError, match=sentence):
        _open(RunStore(tmp_path / "store").folder("a-run"))


@pytest.mark.parametrize(
    "name", "EACCES EPERM EROFS ENOSPC ENOENT ENAMETOOLONG EDQUOT".split()
)
def test_store_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch, name):
    number = getattr(errno, name)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", refuse)
    kind = NotWritten if name in ("ENOSPC", "EDQUOT") else UserError
    with pytest.raises(kind, match=os.strerror(number)):
        _open(RunStore(tmp_path / "store").folder("a-run"))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")
def test_store_under_proc_is_one_sentence():
    with pytest.raises(UserError, match="/proc/rofit cannot be written"):
        _open(RunStore(Path("/proc/rofit")).folder("a-run"))


def test_error_of_the_run_is_not_taken_for_a_store_that_cannot_be_written(tmp_path):
    with pytest.raises(PermissionError):
        with RunFolder(tmp_path / "a-run").opened({}):
            raise PermissionError(errno.EACCES, "of the data, say")


@pytest.fixture(params=["fsync", "replace"])
def broken(request, monkeypatch) -> str:
    """Break the flush to the disk or the renaming."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, request.param, fail)
    return request.param


def test_failed_write_leaves_the_old_text(tmp_path, broken):
    path = tmp_path / "spec.json"
    path.write_text("old")
    with pytest.raises(NotWritten, match="No space left"):
        write_text(path, "new")
    assert path.read_text() == "old"


def test_failed_drop_of_rows_leaves_all_rows(tmp_path, broken):
    rows = [{"epoch": 1}, {"epoch": 2}]
    (tmp_path / "epochs.jsonl").write_text("".join(f"{json.dumps(r)}\n" for r in rows))
    with pytest.raises(NotWritten, match="No space left"):
        RunFolder(tmp_path).keep_epochs_to(1)
    assert list(read_rows(tmp_path)) == rows


def test_run_whose_end_cannot_be_written_is_not_done(tmp_path, broken):
    folder = RunFolder(tmp_path)
    (tmp_path / "epochs.jsonl").write_text('{"epoch": 1}\n')
    with pytest.raises(NotWritten, match="No space left"):
        folder.finish({"epochs": 1})
    assert folder.state == "partial"


def test_text_is_on_the_disk_before_it_takes_the_name(tmp_path, monkeypatch):
    happened = []
    fsync, replace = os.fsync, os.replace

    def flushed(handle: int) -> None:
        status = os.fstat(handle)
        folder = stat.S_ISDIR(status.st_mode)
        happened.append(("fsync", "folder" if folder else status.st_size))
        fsync(handle)

    def renamed(source: Path, target: Path) -> None:
        happened.append(("replace", target.name))
        assert source.parent == target.parent
        replace(source, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", renamed)
    write_text(tmp_path / "done.json", "12345")
    assert happened[:2] == [("fsync", 5), ("replace", "done.json")]
    assert happened[2:] == ([] if os.name == "nt" else [("fsync", "folder")])
    assert [path.name for path in tmp_path.iterdir()] == ["done.json"]


def test_appended_rows_are_flushed_to_the_disk(tmp_path, monkeypatch):
    flushed = {}

    def flush(handle: int) -> None:
        status = os.fstat(handle)
        flushed[status.st_ino] = status.st_size

    monkeypatch.setattr(os, "fsync", flush)
    RunFolder(tmp_path).append([{"epoch": 1}])
    for name in ("epochs.jsonl", "digests.jsonl"):
        status = (tmp_path / name).stat()
        assert flushed[status.st_ino] == status.st_size > 0
    assert os.name == "nt" or tmp_path.stat().st_ino in flushed


def test_failed_sample_leaves_the_old_table(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    folder.write_sample("labels", pd.DataFrame({"given": [1, 2]}))

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(NotWritten, match="No space left"):
        folder.write_sample("labels", pd.DataFrame({"given": [3]}))
    kept = pd.read_parquet(folder.samples / "labels.parquet")
    assert kept["given"].tolist() == [1, 2]
