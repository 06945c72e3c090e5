"""load_logs and load_samples read a store from an archive or a read-only folder."""

import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from stored_runs import PGD, ROWS, SGLS, stored

from rofit import load_logs, load_samples
from rofit.errors import Remark, UserError
from rofit.store.archive import unpack

TESTS = Path(__file__).parents[1]
FAULTS = os.pathsep.join(map(str, (TESTS, TESTS / "abuse")))
READS = """
import sys
from faults import _without_override
_without_override() if FOR_ROOT else None
from rofit import load_logs
from rofit.cli import main
assert len(load_logs(sys.argv[1])) == 8
sys.argv = ["rofit", "show", "sgls", "--store", sys.argv[1]]
main()
"""


@pytest.fixture
def store(tmp_path):
    """A store with two runs, one done and with samples."""
    root = tmp_path / "runs"
    for spec in (PGD, SGLS):
        folder = stored(root, spec, ROWS)
    with folder.held():
        folder.write_sample("softness-0002", {"index": [0, 1], "value": [0.5, 1.5]})
        folder.finish({"epochs": 2})
    return root


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The system's folder for temporary files, empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("kind", ["zip", "gztar"])
@pytest.mark.parametrize("base", [".", "runs"])
def test_an_archive_reads_as_the_folder_it_was_made_of(
    store, temporary, tmp_path, kind, base
):
    root = store if base == "." else tmp_path
    name = shutil.make_archive(str(tmp_path / "packed"), kind, root, base)
    pd.testing.assert_frame_equal(load_logs(name), load_logs(store))
    one = SGLS.run_id
    pd.testing.assert_frame_equal(load_logs(name, [one]), load_logs(store, [one]))
    read = load_samples(name, "softness", [one])
    pd.testing.assert_frame_equal(read, load_samples(store, "softness", [one]))
    assert list(temporary.iterdir()) == []


def test_what_is_damaged_in_an_archive_is_named_by_the_archive(store, tmp_path):
    with (store / PGD.run_id / "epochs.jsonl").open("a") as log:
        log.write("{torn\n")
    name = shutil.make_archive(str(tmp_path / "packed"), "zip", store)
    with pytest.warns(Remark, match=r"packed\.zip/pgd_at-\S+, line 5 cannot be read"):
        assert len(load_logs(name)) == 8


def test_a_folder_that_nobody_may_write_is_only_read(store):
    before = {p: p.stat().st_mtime_ns for p in store.rglob("*")}
    for path in (store, *before):
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        code = READS.replace("FOR_ROOT", str(not os.geteuid()))
        done = subprocess.run(
            [sys.executable, "-c", code, store],
            env=os.environ | {"PYTHONPATH": FAULTS},
            capture_output=True,
            text=True,
        )
    finally:
        for path in (store, *before):
            path.chmod(0o700)
    assert done.returncode == 0, done.stderr
    assert {p: p.stat().st_mtime_ns for p in store.rglob("*")} == before


def _zip(path, *members, mode=stat.S_IFREG):
    with zipfile.ZipFile(path, "w") as archive:
        for name in members:
            member = zipfile.ZipInfo(name)
            member.external_attr = (mode | 0o644) << 16
            archive.writestr(member, "{}")
    return path


def test_names_of_an_archive_lead_nowhere_else(tmp_path):
    target = tmp_path / "a" / "b"
    for bad in ("../out", "run/../../out"):
        archive = _zip(tmp_path / "bad.zip", "run/spec.json", bad)
        with pytest.raises(UserError, match="expected only paths inside"):
            unpack(archive, target)
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        for name in ("run/spec.json", "run\\..\\out"):
            tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(UserError, match="must be a name that a folder can have"):
        unpack(tmp_path / "bad.tar", target)
    archive = _zip(tmp_path / "link.zip", "run/spec.json", mode=stat.S_IFLNK)
    with pytest.raises(UserError, match="a link or device"):
        unpack(archive, target)
    unpack(_zip(tmp_path / "absolute.zip", "/run/spec.json"), target)
    assert [p.name for p in target.iterdir()] == ["run"]
    assert not (tmp_path / "out").exists() and not (tmp_path / "a" / "out").exists()


def test_files_that_are_no_stores_are_refused(tmp_path):
    (tmp_path / "text.zip").write_text("no archive")
    with pytest.raises(UserError, match="is no store of runs: expected a tar or zip"):
        load_logs(tmp_path / "text.zip")
    with pytest.raises(UserError, match="no runs in .*empty.zip; pack the folder"):
        load_logs(_zip(tmp_path / "empty.zip", "spec.json", "readme.txt"))
