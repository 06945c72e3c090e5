"""rofit export --to: a folder to publish, whole or not at all."""

import errno
import json
import os
import sys

import pytest
from command_line import is_one_sentence, rofit
from publishable import TINY, evaluated, publishable

from rofit.interop.publish import folder as publishing
from rofit.interop.publish import load

FILES = [
    "README.md",
    "config.json",
    "load.py",
    "logs.csv",
    "logs.parquet",
    "model.safetensors",
    "network.py",
    "spec.json",
]


@pytest.fixture
def home(tmp_path):
    """A folder with one run in its store."""
    publishable(tmp_path)
    return tmp_path


def to(home, *words):
    """Publish the run."""
    return rofit(home, "export", TINY.run_id, *words)


def files(folder):
    return sorted(
        p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()
    )


def nothing_is_left(home):
    """Assert that there is neither the folder nor a part of it."""
    assert sorted(path.name for path in home.iterdir()) == ["runs"]


def test_folder_has_network_card_logs_and_the_answer_says_what_is_missing(home):
    answer = to(home, "--to", home / "site", "--json")
    assert answer.code == 0
    (row,) = json.loads(answer.out)["runs"]
    assert row == {
        "run": TINY.run_id,
        "checkpoint": "best",
        "epoch": 2,
        "files": ", ".join(FILES),
    }
    assert files(home / "site") == FILES
    assert answer.err.startswith("rofit: no claim: a RobustBench claim takes auto")
    assert answer.err.count("\n") == 1
    spec = home / "runs" / TINY.run_id / "spec.json"
    assert (home / "site" / "spec.json").read_bytes() == spec.read_bytes()
    assert sorted(path.name for path in home.iterdir()) == ["runs", "site"]


def test_with_a_claim_nothing_is_missing(home):
    evaluated(publishing.RunFolder(home / "runs" / TINY.run_id), "autoattack", 0.5)
    answer = to(home, "--to", home / "site")
    assert (answer.code, answer.err) == (0, "")
    claim = f"model_info/cifar10/Linf/{TINY.run_id}.json"
    assert files(home / "site") == sorted([*FILES, claim, "get_model.py"])


def test_checkpoint_is_the_one_that_is_named(home):
    answer = to(home, "--to", home / "site", "--checkpoint", "last", "--json")
    (row,) = json.loads(answer.out)["runs"]
    assert (row["checkpoint"], row["epoch"]) == ("last", 3)
    config = json.loads((home / "site" / "config.json").read_text())
    assert config["checkpoint"]["name"] == "last"


def test_same_again_is_fine_and_an_empty_folder_is_filled(home):
    (home / "site").mkdir()
    for _ in range(2):
        assert to(home, "--to", home / "site").code == 0
        assert files(home / "site") == FILES


def test_folder_through_a_link_is_filled(home):
    (home / "there").mkdir()
    (home / "site").symlink_to(home / "there")
    assert to(home, "--to", home / "site").code == 0
    assert files(home / "there") == FILES and (home / "site").is_symlink()


@pytest.mark.parametrize("name", ["notes.txt", "README.md", "model_info/a.json"])
def test_folder_with_other_files_is_left_alone(home, name):
    file = home / "site" / name
    file.parent.mkdir(parents=True)
    file.write_text("of somebody else")
    is_one_sentence(to(home, "--to", home / "site"), "holds other files; name a new")
    assert files(home / "site") == [name]
    assert file.read_text() == "of somebody else"
    assert sorted(path.name for path in home.iterdir()) == ["runs", "site"]


def test_what_was_published_of_other_numbers_is_left_alone(home):
    assert to(home, "--to", home / "site").code == 0
    before = (home / "site" / "README.md").read_text()
    evaluated(publishing.RunFolder(home / "runs" / TINY.run_id), "pgd20", 0.5)
    is_one_sentence(to(home, "--to", home / "site"), "holds other files; name a new")
    assert (home / "site" / "README.md").read_text() == before


def test_file_in_the_place_of_the_folder_or_above_it_is_refused(home):
    (home / "file").write_text("")
    is_one_sentence(to(home, "--to", home / "file"), "is a file; name a new folder")
    answer = to(home, "--to", home / "file" / "site")
    is_one_sentence(answer, f"{home / 'file' / 'site'} cannot be written (")
    assert (home / "file").read_text() == ""


def test_missing_checkpoint_is_named(home):
    (home / "runs" / TINY.run_id / "checkpoints" / "best.pt").unlink()
    is_one_sentence(to(home, "--to", home / "site"), "best.pt; rofit status lists")
    nothing_is_left(home)


@pytest.mark.parametrize("cut", [0, 100, 10_000])
def test_damaged_checkpoint_is_named(home, cut):
    file = home / "runs" / TINY.run_id / "checkpoints" / "best.pt"
    data = file.read_bytes()
    file.write_bytes(data[:cut] + b"\0" * 9 + data[cut + 9 :] if cut else b"")
    is_one_sentence(to(home, "--to", home / "site"), "best.pt cannot be read as a")
    nothing_is_left(home)


def test_checkpoint_of_another_run_is_refused(home):
    other = publishable(home, TINY.replace(seed=1))
    target = home / "runs" / TINY.run_id / "checkpoints" / "best.pt"
    target.write_bytes((other.checkpoints / "best.pt").read_bytes())
    answer = to(home, "--to", home / "site")
    is_one_sentence(answer, f"is of run {other.path.name}, not of {TINY.run_id}")


def test_checkpoint_that_leads_out_of_the_run_is_refused(home):
    answer = to(home, "--to", home / "site", "--checkpoint", "../../x")
    is_one_sentence(answer, "--checkpoint must be a name")


def test_without_safetensors_it_says_what_to_install(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    monkeypatch.delitem(sys.modules, load.__name__, raising=False)
    is_one_sentence(to(home, "--to", home / "site"), "pip install safetensors")
    nothing_is_left(home)


def test_full_disk_leaves_no_part_of_the_folder(home, monkeypatch):
    fsync, calls = os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    answer = to(home, "--to", home / "site")
    assert (answer.code, answer.out, answer.err.count("\n")) == (1, "", 1)
    assert "cannot be written (No space left" in answer.err
    nothing_is_left(home)


def test_interrupt_leaves_no_part_of_the_folder(home, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(publishing, "card", interrupted)
    assert to(home, "--to", home / "site").code == 130
    nothing_is_left(home)


@pytest.mark.parametrize(
    "words, sentence",
    [
        ((), "Missing option: one of --out FOLDER and --to TARGET"),
        (("--to", "a", "--out", "b"), "Only one can be of --out FOLDER and --to"),
        (("--out", "b", "--checkpoint", "last"), "--checkpoint goes with --to"),
        (("sgls", "--to", "a"), "no single run 'sgls'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(home, words, sentence):
    is_one_sentence(to(home, *words), sentence)
    nothing_is_left(home)


def test_two_runs_are_two_folders(home):
    other = publishable(home, TINY.replace(seed=1)).path.name
    is_one_sentence(to(home, other, "--to", home / "site"), "--to takes one run, got 2")
    nothing_is_left(home)
