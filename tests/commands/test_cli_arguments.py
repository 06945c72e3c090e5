"""Words of the command line that no file and no name can be: one sentence, code 2."""

import pytest
from command_line import is_one_sentence, rofit
from stored_runs import PGD, stored

TRAIN = ("train", "--scale", "smoke", "--dry-run")
RUN = ("run", "fig1_gradnorm", "--scale", "smoke", "--dry-run")
EMPTY = "expects a text, got an empty one"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([*TRAIN, "--method", ""], f"--method {EMPTY}"),
        ([*TRAIN, "--store="], f"--store {EMPTY}"),
        ([*TRAIN, "--data", ""], f"--data {EMPTY}"),
        (["train", "--dry-run", "--scale", ""], f"--scale {EMPTY}"),
        (["show", ""], f"RUN {EMPTY}"),
        (["eval", "x", "--shard", ""], f"--shard {EMPTY}"),
        ([*TRAIN, "--store", "a\0b"], r"without zero bytes, got 'a\x00b'"),
        (["data", "\0"], r"without zero bytes, got '\x00'"),
        ([*TRAIN, "--store", "x" * 256], "255 between slashes, got 256: 'xxx"),
        ([*TRAIN, "--spec", "x/" * 600], "expects at most 1,024 bytes"),
        (["show", "x" * 10**6], "got 1,000,000: 'xxx"),
        (
            ["data", "~no such user/data"],
            "names a home that is not here: '~no such user/data'",
        ),
        (
            [*TRAIN, "--data", "x=~no such user"],
            "a home that is not here: 'x=~no such user'",
        ),
        (["data", "/"], "expected a name of 1 to 100 bytes"),
        (
            [*TRAIN, "--seeds", "1000000000"],
            "1000000000 is not in the range 1<=x<=1000",
        ),
        ([*TRAIN, "--keep", "9" * 4000], "is not in the range 0<=x<=1000000"),
        (["reproduce", "--figure", "9" * 4000], "is not in the range 0<=x<=1000"),
        ([*TRAIN, "--precision" + "x" * 10**6], "o such option"),
        (["x" * 10**6], "o such command"),
        (["bench", "--device", "cuda:\u00b2"], "unknown device 'cuda:\u00b2'"),
        ([*TRAIN, "--set", "dataset=sub/../../data/good"], "dataset must be a name"),
        ([*TRAIN, "--set", "epsilon=1/1e999999999"], "epsilon must be a number or"),
        (
            [*TRAIN, "--set", "blocks=[1000000]"],
            "blocks must be at least 1 and at most 2",
        ),
        (
            [*RUN, "--set", "drops=" + "0.5," * 99],
            "the results' folder, which is called",
        ),
    ],
)
def test_word_that_cannot_be_meant_is_one_short_sentence(tmp_path, words, sentence):
    answer = rofit(tmp_path, *words)
    is_one_sentence(answer, sentence)
    assert len(answer.err) < 500
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "shard", ["\u00b2/\u00b2", "9" * 5000 + "/1", "0/1", "2/1", "1"]
)
def test_shard_that_is_none_is_refused(tmp_path, shard):
    words = ("eval", "x", "--shard", shard[:250])
    is_one_sentence(rofit(tmp_path, *words), "--shard expects K/N with K from 1 to N")


def test_checkpoint_outside_of_its_folder_is_refused(tmp_path):
    run = stored(tmp_path / "runs", PGD, [])
    run.checkpoints.mkdir()
    (tmp_path / "runs" / "other.pt").touch()
    words = ("eval", run.path.name, "--checkpoint", "../../other")
    is_one_sentence(rofit(tmp_path, *words), "--checkpoint must be a name")


def test_run_of_another_folder_is_not_read(tmp_path):
    other = stored(tmp_path / "others", PGD, []).path.name
    (tmp_path / "runs").mkdir()
    for text in (f"../others/{other}", f"{tmp_path}/others/{other}"):
        is_one_sentence(rofit(tmp_path, "show", text), "no single run")


def test_long_path_is_taken(tmp_path):
    deep = "/".join(["y" * 100] * 5)
    assert rofit(tmp_path, *TRAIN, "--store", tmp_path / deep).code == 0
