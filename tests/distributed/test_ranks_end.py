"""A run on several ranks ends early, and goes on with another number of them."""

import os
import signal
from pathlib import Path

import pytest
from command_line import rofit
from gloo import rofit_on_ranks
from training_helpers import as_vector, last_state, train

from rofit.methods.resolve import resolve
from rofit.store.runs import RunStore, read_events, read_rows
from rofit.training import loop

CHANGES = {"epochs": 3, "train_size": 128, "val_size": 16, "test_size": 16}
CHANGES |= {"lr": 0.02}
TRAIN = ["train", "--method", "sgls", "--scale", "smoke", "--quiet"]
TRAIN += ["--watch", "gradient_norm"]
TRAIN += [word for pair in CHANGES.items() for word in ("--set", "{}={}".format(*pair))]
# In float32, after 6 steps: 1e-6, and 2e-4 where rounding has turned the sign of one
# activation; a step too many or too few is 1e-2 and more.
CLOSE = 1e-3
SECONDS = 300  # after which a process hangs


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The folder of the run that one process has trained without an end."""
    home = tmp_path_factory.mktemp("alone")
    assert rofit(home, *TRAIN).code == 0
    return _folder(home)


def _folder(home):
    (path,) = Path(home, "runs").glob("sgls-*")
    return RunStore(path.parent).folder(path.name)


def _at_step(number, act):
    """Have the process act when it has made so many steps."""
    make_step, steps = loop.make_step, []

    def counted(*arguments):
        steps.append(make_step(*arguments))
        if len(steps) == number:
            act()
        return steps[-1]

    loop.make_step = counted


def _die_at_third_step():
    _at_step(3, lambda: os.kill(os.getpid(), signal.SIGKILL))


def _terminate_at_third_step():
    _at_step(3, lambda: os.kill(os.getpid(), signal.SIGTERM))


def _ends(processes):
    """Return exit codes and what was said on standard error, by rank."""
    for command in processes:
        command.process.join(SECONDS)
    ends = [(command.returncode, command.errors.read_text()) for command in processes]
    for command in processes:
        command.end()
    return ends


def _is_trained_as(folder, other):
    """Assert that both are done, with the same weights and rows but for rounding."""
    one, two = last_state(folder), last_state(other)
    assert folder.state == other.state == "done"
    assert one["epoch"] == two["epoch"] == CHANGES["epochs"]
    assert (as_vector(one["model"]) - as_vector(two["model"])).abs().max() < CLOSE
    table = one["labels"]["average"] - two["labels"]["average"]
    assert table.abs().max() < CLOSE
    rows = [_steps(folder), _steps(other)]
    assert rows[0].keys() == rows[1].keys()
    assert {"gradient_norm", "accuracy", "loss"} <= {metric for _, metric in rows[0]}
    for key, value in rows[0].items():
        assert rows[1][key] == pytest.approx(value, rel=1e-3, abs=1e-3), key


def _steps(folder):
    """Return what was measured at the steps of each epoch."""
    return {
        (row["epoch"], row["metric"]): row["value"]
        for row in read_rows(folder.path)
        if row["split"] == "train" and row.get("measured") != "epoch_end"
    }


def test_one_process_goes_on_where_a_rank_was_killed(tmp_path, alone):
    """In the second epoch: what is left is the checkpoint of the first."""
    killed = {1: _die_at_third_step}
    (code, said), (other, _) = _ends(rofit_on_ranks(2, tmp_path, *TRAIN, before=killed))
    assert (code, other) == (75, -signal.SIGKILL)
    assert said == (
        "rofit: another process of this run has ended, and this one with it; unless "
        "that one says why, the same command goes on from here\n"
    )
    state = last_state(_folder(tmp_path))
    assert (state["epoch"], state["step"]) == (1, 0)
    assert rofit(tmp_path, *TRAIN).code == 0
    _is_trained_as(_folder(tmp_path), alone)


def test_ranks_stop_at_the_same_step_and_one_process_goes_on(tmp_path, alone):
    """The signal came to the second rank only."""
    signalled = {1: _terminate_at_third_step}
    ends = _ends(rofit_on_ranks(2, tmp_path, *TRAIN, before=signalled))
    assert ends == [(75, "unfinished: the same command goes on from here\n")] * 2
    state = last_state(_folder(tmp_path))
    assert (state["epoch"], state["step"]) == (1, 1)
    assert rofit(tmp_path, *TRAIN).code == 0
    _is_trained_as(_folder(tmp_path), alone)


def test_two_ranks_go_on_where_one_process_stopped(tmp_path, alone):
    _, done = train(
        resolve(alone.spec), tmp_path, stop_after=3, diagnostics=["gradient_norm"]
    )
    assert not done
    assert _ends(rofit_on_ranks(2, tmp_path, *TRAIN)) == [(0, "")] * 2
    _is_trained_as(_folder(tmp_path), alone)
    events = read_events(_folder(tmp_path).path)
    assert [e["event"] for e in events] == ["start", "stop", "resume", "stop"]
