"""What signals do to a command and its processes: a stop, and nothing left running."""

import os
import signal
import time
from pathlib import Path

import pytest
from command_line import rofit
from forked_command import ForkedCommand
from training_helpers import last_state

from rofit.store.runs import RunStore, read_events, read_rows

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="needs Linux's /proc"
)
WORDS = "train --scale smoke --seeds 2 --jobs 2 --set epochs=200 --quiet".split()
POLLS = 60_000  # of 10 ms at most: a limit for what hangs


class Command(ForkedCommand):
    """A command in a process group of its own."""

    def __init__(self, root):
        self.runs = RunStore(root / "runs")
        super().__init__(root, *WORDS)

    def group(self):
        """Return the process ids of the command and all it has started."""
        ids = []
        for file in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, group = file.read_text().rpartition(")")[2].split()[:3]
            except OSError:  # it ended meanwhile
                continue
            if int(group) == self.process.pid and state not in "ZX":
                ids.append(int(file.parent.name))
        return ids

    def epochs(self):
        """Return the last epoch of every run that has rows."""
        logs = [list(read_rows(folder.path)) for folder in self.runs.runs()]
        return [rows[-1]["epoch"] for rows in logs if rows]

    def wait_for(self, claim):
        """Look at the command again and again until *claim* holds."""
        for _ in range(POLLS):
            if claim():
                return
            time.sleep(0.01)
        raise TimeoutError

    def ended(self):
        return self.returncode is not None


def events(folder):
    return [row["event"] for row in read_events(folder.path)]


@pytest.fixture
def start(tmp_path):
    """A function that starts the command."""
    started = []

    def begin():
        started.append(Command(tmp_path))
        return started[-1]

    yield begin
    for command in started:
        for number in command.group():
            os.kill(number, signal.SIGKILL)
        command.end()


def test_signal_to_the_command_alone_stops_all_its_processes(tmp_path, start):
    command = start()
    command.wait_for(lambda: len(command.epochs()) == 2 or command.ended())
    code, err = command.send(signal.SIGTERM)
    assert code == 75
    assert err == "unfinished: the same command goes on from here\n"
    command.wait_for(lambda: not command.group())
    first, second = sorted(command.runs.runs(), key=lambda folder: folder.spec.seed)
    stopped = [last_state(folder)["epoch"] for folder in (first, second)]
    assert all(0 < epoch < 200 for epoch in stopped)

    answer = rofit(tmp_path, *WORDS, "--jobs", "1", "--max-minutes", "0")
    assert answer.code == 75
    assert events(first) == ["start", "stop", "resume", "stop"]
    assert events(second) == ["start", "stop"]
    assert last_state(first)["epoch"] == stopped[0] + 1


# The command, the server that processes are forked off while it still imports, and the
# processes.
@pytest.mark.parametrize("processes", [2, 3, 4])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_to_all_while_the_processes_start_is_a_stop(start, processes, number):
    """A terminal or a scheduler sends it to the whole group."""
    command = start()
    command.wait_for(lambda: len(command.group()) >= processes or command.ended())
    code, err = command.send(number, to_all=True)
    assert (code, err) == (75, "unfinished: the same command goes on from here\n")


def test_processes_of_a_command_that_is_killed_end_too(start):
    command = start()
    command.wait_for(lambda: len(command.epochs()) == 2 or command.ended())
    command.send(signal.SIGKILL)
    before = command.epochs()
    far = [epoch + 5 for epoch in before]
    command.wait_for(lambda: not command.group() or command.epochs() >= far)
    assert not command.group()
    assert command.errors.read_text() == ""
    for folder in command.runs.runs():
        assert events(folder) == ["start", "stop"]
