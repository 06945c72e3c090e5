"""A run that was stopped, killed or torn ends as if it had never been."""

import json
import signal
import time

import pytest
from command_line import rofit
from forked_command import ForkedCommand
from training_helpers import last_state, same, train

from rofit.methods import METHODS
from rofit.settings.choices import MIXED
from rofit.store.runs import RunFolder
from rofit.training import checkpoint


def rows(folder):
    return (folder.path / "epochs.jsonl").read_bytes()


def events(folder):
    lines = (folder.path / "events.jsonl").read_text().splitlines()
    return [json.loads(line)["event"] for line in lines]


@pytest.fixture
def spec(smoke_spec):
    # 3 epochs of 5 steps, the last one shorter; augmented, to have all draws in play.
    small = smoke_spec(val_size=16, test_size=16, blocks=(1, 1))
    return small.replace(
        epochs=3, batch_size=30, crop_pad=1, flip=True, label_noise=0.3, seed=3
    )


@pytest.fixture(params=METHODS)
def method_spec(request, spec):
    return spec.replace(method=request.param)


def test_run_stopped_again_and_again_ends_with_the_same_bits(method_spec, tmp_path):
    """After step 2 of the first epoch, at its end, and after step 4 of the second."""
    whole, done = train(method_spec, tmp_path / "whole")
    assert done
    for more in (2, 3, 4):
        resumed, done = train(method_spec, tmp_path / "resumed", stop_after=more)
        assert not done
        assert resumed.state in ("partial", "started")
    resumed, done = train(method_spec, tmp_path / "resumed")
    assert done
    same(last_state(whole), last_state(resumed))
    assert rows(whole) == rows(resumed)
    assert (whole.path / "done.json").read_text() == (
        resumed.path / "done.json"
    ).read_text()
    assert events(resumed) == ["start", "stop", *(["resume", "stop"] * 3)]


def test_stop_after_every_single_step_changes_nothing(spec, tmp_path):
    spec = spec.replace(method="sgls", epochs=2)
    whole, _ = train(spec, tmp_path / "whole")
    for _ in range(10):
        resumed, done = train(spec, tmp_path / "resumed", stop_after=1)
    assert done
    same(last_state(whole), last_state(resumed))
    assert rows(whole) == rows(resumed)


@pytest.mark.parametrize("augment", MIXED)
def test_run_on_mixed_images_stopped_in_an_epoch_ends_with_the_same_bits(
    augment, spec, tmp_path
):
    spec = spec.replace(
        augment=augment, method="label_smoothing", weights_from=("awp",)
    )
    whole, _ = train(spec, tmp_path / "whole")
    for more in (2, 4, 1):
        train(spec, tmp_path / "resumed", stop_after=more)
    resumed, done = train(spec, tmp_path / "resumed")
    assert done
    same(last_state(whole), last_state(resumed))
    assert rows(whole) == rows(resumed)


def test_torn_last_checkpoint_falls_back_to_the_one_before(spec, tmp_path):
    whole, _ = train(spec, tmp_path / "whole")
    resumed, _ = train(spec, tmp_path / "resumed", stop_after=12)
    last = resumed.checkpoints / checkpoint.LAST
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    resumed, done = train(spec, tmp_path / "resumed")
    assert done
    same(last_state(whole), last_state(resumed))
    assert rows(whole) == rows(resumed)


def test_rows_past_the_checkpoint_are_dropped_on_resume(spec, tmp_path):
    whole, _ = train(spec, tmp_path / "whole")
    resumed, _ = train(spec, tmp_path / "resumed", stop_after=12)
    # A kill between the rows of epoch 3 and its checkpoint, and in the middle of a row.
    with open(resumed.path / "epochs.jsonl", "a") as file:
        file.write('{"epoch": 3, "metric": "accuracy", "value": 0.5}\n{"epoch": 3, "me')
    train(spec, tmp_path / "resumed")
    assert rows(whole) == rows(resumed)


def test_run_that_is_done_is_not_trained_again(spec, tmp_path):
    folder, _ = train(spec, tmp_path)
    before = (folder.path / "events.jsonl").read_bytes()
    folder, done = train(spec, tmp_path)
    assert done
    assert (folder.path / "events.jsonl").read_bytes() == before


def test_two_runs_of_one_seed_agree_and_of_two_seeds_differ(spec, tmp_path):
    one, _ = train(spec, tmp_path / "one")
    again, _ = train(spec, tmp_path / "again")
    other, _ = train(spec.replace(seed=4), tmp_path / "other")
    same(last_state(one), last_state(again))
    assert rows(one) != rows(other)


WORDS = (
    "train --method sgls --scale smoke --set epochs=20 --set batch_size=16 --quiet"
).split()


@pytest.fixture
def start(tmp_path):
    """A function that starts the command, with its store in a folder of that name."""
    started = []

    def begin(name):
        started.append(ForkedCommand(tmp_path / name, *WORDS))
        return started[-1]

    yield begin
    for command in started:
        command.end()


def wait_for_rows(root, command, lines):
    while command.returncode is None:
        files = list((root / "runs").glob("*/epochs.jsonl"))
        if files and files[0].read_text().count("\n") >= lines:
            return
        time.sleep(0.01)


def finished(root):
    answer = rofit(root, *WORDS)
    assert answer.code == 0, answer.err
    return RunFolder(next((root / "runs").iterdir()))


def test_sigkill_in_the_middle_and_again_ends_with_the_same_bits(tmp_path, start):
    whole = finished(tmp_path / "whole")
    for lines in (100, 500):
        command = start("killed")
        wait_for_rows(tmp_path / "killed", command, lines)
        assert command.send(signal.SIGKILL) == (-signal.SIGKILL, "")
    killed = finished(tmp_path / "killed")
    assert events(killed) == ["start", "resume", "resume", "stop"]
    same(last_state(whole), last_state(killed))
    assert rows(whole) == rows(killed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_with_a_checkpoint_and_exit_code_75(number, tmp_path, start):
    command = start("stopped")
    wait_for_rows(tmp_path / "stopped", command, 50)
    code, err = command.send(number)
    assert code == 75
    assert "the same command goes on" in err
    assert "Traceback" not in err
    assert len([*tmp_path.glob("stopped/runs/*/checkpoints/last.pt")]) == 1
