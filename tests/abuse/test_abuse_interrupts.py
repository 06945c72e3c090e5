"""Ctrl-C at random moments of commands: one line, 130 or 75, never a traceback.

A moment is an event that Python reports to audit hooks: the n-th import, file that is
opened, process that begins. So the same moments come on any machine, in imports too.
"""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import rofit
from evaluated_runs import SPEC, trained

from rofit.interrupts import GOES_ON
from rofit.store.runs import RunStore, read_rows

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs signals of POSIX")
# More of them with ROFIT_ABUSE=40, say.
MOMENTS = int(os.environ.get("ROFIT_ABUSE", "1"))
# Sends itself the signal at an event, from our first line on, and begins as rofit does.
INTERRUPTED = """
import os, sys
from rofit.__main__ import main
moment, number, *sys.argv[1:] = sys.argv[1:]
left, own = int(moment), os.getpid()
def count(event, _):
    global left
    if event in ("import", "open", "subprocess.Popen") and os.getpid() == own:
        left -= 1
        if left == 0:
            os.kill(own, int(number))
from rofit import interrupts
begin = interrupts.end_on_signals
def begin_and_count():
    begin()
    sys.addaudithook(count)
interrupts.end_on_signals = begin_and_count
main()
"""
SMOKE = "--scale smoke --quiet".split()
TRAIN = ["train", *SMOKE, "--set", "val_size=16", "--set", "test_size=16"]
TRAIN += ["--watch", "gradient_norm"]
# Command, and about how many events there are until it has begun, and in all.
COMMANDS = {
    "help": (["--help"], 0, 97),
    "list": (["list"], 0, 3500),
    "status": (["status", "--scale", "smoke"], 0, 1400),
    "train": (TRAIN, 5000, 7200),
    "jobs": ([*TRAIN, "--seeds", "2", "--jobs", "2"], 5000, 7200),
    "eval": (["eval", SPEC.run_id, "--attack", "pgd20", "--quiet"], 4500, 5300),
}


def interrupted(home, moment, number, *words):
    """Run a command that gets a signal at a moment; return its code and its errors."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(moment), str(int(number)), *words],
        cwd=home,
        env=os.environ | {"ROFIT_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    return done.returncode, done.stderr


def cases():
    """Return commands and moments: before they have begun, and after."""
    rng, moments = random.Random(16), []
    for name, (_, begun, events) in COMMANDS.items():
        for _ in range(MOMENTS):
            moments.append((name, rng.randrange(1, begun or events)))
            if begun:
                moments.append((name, rng.randrange(begun, events)))
    return moments


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with a run that can be evaluated."""
    home = tmp_path_factory.mktemp("abused")
    trained(home)
    return home


@pytest.mark.parametrize(("name", "moment"), cases())
def test_ctrl_c_at_any_moment_is_one_line(store, tmp_path, name, moment):
    words, *_ = COMMANDS[name]
    home = store if name == "eval" else tmp_path
    code, err = interrupted(home, moment, signal.SIGINT, *words)
    said = {130: "rofit: interrupted\n", 75: f"{GOES_ON}\n", 0: ""}
    assert err == said.get(code), code


def test_what_was_interrupted_at_every_turn_goes_on_to_the_same_rows(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for home in (whole, broken):
        home.mkdir()
    assert rofit(whole, *TRAIN).code == 0
    rng = random.Random(17)
    for _ in range(MOMENTS):
        interrupted(broken, rng.randrange(5000, 7200), signal.SIGTERM, *TRAIN)
    assert rofit(broken, *TRAIN).code == 0
    (one,), (other,) = (RunStore(home / "runs").runs() for home in (whole, broken))
    assert list(read_rows(other.path)) == list(read_rows(one.path))


def test_reader_that_leaves_is_answered_with_the_code_of_shells(tmp_path):
    for words in (["--help"], ["data"], ["status", "--scale", "smoke"]):
        reader, writer = os.pipe()
        os.close(reader)
        command = [sys.executable, "-m", "rofit", *words]
        done = subprocess.run(
            command, cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (141, b""), words


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_a_full_disk_does_not_take_is_one_sentence(tmp_path, unbuffered):
    environ = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    for words in (["--help"], ["data"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "rofit", *words],
                cwd=tmp_path,
                env=environ,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
            )
        sentence = "rofit: nothing more can be written (No space left on device)\n"
        assert (done.returncode, done.stderr) == (1, sentence), words
