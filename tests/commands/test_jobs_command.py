"""What commands say of runs side by side."""

import pytest
from command_line import is_one_sentence, rofit

from rofit.running import train
from rofit.store.runs import RunStore, read_events


def test_command_without_time_is_unfinished_and_the_same_one_goes_on(tmp_path):
    words = ["train", "--scale", "smoke", "--seeds", "2", "--jobs", "2", "--quiet"]
    answer = rofit(tmp_path, *words, "--max-minutes", "0")
    assert answer.code == 75
    assert "unfinished: the same command goes on from here" in answer.err
    assert rofit(tmp_path, *words).code == 0
    for folder in RunStore(tmp_path / "runs").runs():
        assert folder.state == "done"
        events = [row["event"] for row in read_events(folder.path)]
        assert events == ["start", "stop", "resume", "stop"]


def test_command_answers_an_error_in_another_process_with_one_sentence(tmp_path):
    words = ["train", "--scale", "smoke", "--seeds", "3", "--jobs", "2", "--quiet"]
    answer = rofit(tmp_path, *words, "--set", "train_size=129")
    assert answer.code == 2
    assert answer.err.startswith("rofit: 129 training images in batches of 64 leave")
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize("number", ["0", "-1", "two"])
def test_number_of_jobs_that_is_none_is_one_sentence(tmp_path, number):
    answer = rofit(tmp_path, "train", "--scale", "smoke", "--jobs", number)
    assert answer.code == 2
    assert answer.err.startswith("rofit: Invalid value for '--jobs'")
    assert answer.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_command_hands_the_devices_on(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(train, "work_all", lambda *words: calls.append(words[4]))
    words = ["train", "--scale", "smoke", "--devices", "cpu:0, cpu:1"]
    assert rofit(tmp_path, *words).code == 75
    assert calls == [("cpu:0", "cpu:1")]


REFUSED = {
    "--devices cpu,auto": "devices expects names, cuda:0,cuda:1, got auto",
    "--devices cpu:1,cpu:1": "devices names cpu:1 twice; jobs shares one device",
    "--devices cpu,cpu:0": "devices names cpu as cpu:0 twice",
    "--devices cpu,tpu": "unknown device 'tpu'",
    "--devices cpu,": "unknown device ''",
    "--devices cpu,cuda:99": "device cuda:99 is not here: torch sees ",
    "--devices cpu:0,cpu:1 --jobs 2": "--devices has one run on each device: leave",
    "--devices cpu:0,cpu:1 --device cpu": "--devices has one run on each device",
}


@pytest.mark.parametrize("words", REFUSED)
def test_devices_that_cannot_be_used_are_one_sentence(tmp_path, words):
    answer = rofit(tmp_path, "train", "--scale", "smoke", *words.split())
    is_one_sentence(answer, REFUSED[words])
    assert not list(tmp_path.iterdir())
