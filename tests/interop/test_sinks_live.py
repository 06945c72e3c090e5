"""Sinks while a run trains: killed and gone on with, side by side, failing, hanging."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from command_line import rofit
from sink_readers import (
    EVERY_SINK,
    INSTALLED,
    READERS,
    assert_same,
    expected_rows,
    named,
    settings_of,
)

from rofit import train
from rofit.errors import Remark
from rofit.sinks import SINKS, feed, live
from rofit.sinks.curve import Curve
from rofit.store.runs import RunStore, read_events

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of packages
WORDS = ("train", "--scale", "smoke", "--method", "sgls", "--set", "epochs=5")
# The command rofit, which kills itself when it has the rows of an epoch and not yet its
# checkpoint, and every sink has begun to write.
KILLED = """
import os, signal, sys, time
from rofit.cli import main
from rofit.sinks import live
from rofit.training import loop

epoch, sinks = int(sys.argv.pop(1)), int(sys.argv.pop(1))
begun, write_new, finish_epoch = set(), live.write_new, loop.finish_epoch

def noted(curve, *words):
    if write_new(curve, *words):
        begun.add(curve)

def finish_and_die(run, *words):
    finish_epoch(run, *words)
    while run.epoch == epoch:
        if len(begun) == sinks:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)

live.write_new, loop.finish_epoch = noted, finish_and_die
main()
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run that fed all sinks and was killed twice, and where it and they are."""
    home = tmp_path_factory.mktemp("killed")
    environment = os.environ | settings_of(home) | {"ROFIT_HOME": str(home)}
    log_to = [word for s in INSTALLED for word in ("--log-to", named(s, home))]
    options = {"env": environment, "cwd": home, "capture_output": True, "text": True}
    words = [*WORDS, "--quiet", *log_to]
    for epoch in (2, 4):
        code = [sys.executable, "-c", KILLED, str(epoch), str(len(INSTALLED))]
        done = subprocess.run([*code, *words], **options)
        assert done.returncode == -signal.SIGKILL, done.stderr
    done = subprocess.run([sys.executable, "-m", "rofit", *words], **options)
    assert (done.returncode, done.stderr) == (0, "")
    (folder,) = RunStore(home / "runs").runs()
    resumed = [e["epoch"] for e in read_events(folder.path) if e["event"] == "resume"]
    assert resumed == [1, 3]
    return folder, home


@pytest.mark.parametrize("sink", EVERY_SINK)
def test_after_two_kills_every_number_is_there_once(killed, sink):
    folder, home = killed
    assert_same(sink, READERS[sink](home, folder.path.name), expected_rows(folder))


def test_killed_run_with_sinks_has_the_log_of_an_unbroken_one_without(killed, tmp_path):
    folder, _ = killed
    assert rofit(tmp_path, *WORDS, "--quiet").code == 0
    (whole,) = RunStore(tmp_path / "runs").runs()
    for name in ("epochs.jsonl", "done.json"):
        assert (whole.path / name).read_bytes() == (folder.path / name).read_bytes()


@pytest.fixture
def spec(smoke_spec):
    return smoke_spec(epochs=4, val_size=16, test_size=16, blocks=(1, 1), seed=5)


@pytest.fixture
def log_without(spec, tmp_path):
    """The log of the run without a sink."""
    (folder,) = train(spec, store=tmp_path / "without", diagnostics=())
    return (folder.path / "epochs.jsonl").read_bytes()


def trained(spec, tmp_path, *log_to):
    """Train the run with sinks; return its folder."""
    store = tmp_path / "with"
    (folder,) = train(spec, store=store, diagnostics=(), log_to=log_to)
    assert folder.state == "done"
    return folder


@pytest.fixture
def register(monkeypatch):
    """A function that registers a sink; returns what is written to it."""

    def add(name, *, opening=None, writing=None, closing=None):
        written = []

        def write(epoch, values):
            if epoch == 2 and writing:
                writing()
            written.append(epoch)

        @contextmanager
        def opened(run, where):
            if opening:
                opening()
            yield Curve(lambda name: 0, write)
            if closing:
                closing()

        monkeypatch.setitem(SINKS, name, SimpleNamespace(NEEDS=(), opened=opened))
        return written

    return add


def fail():
    raise OSError(28, "No space left on device")


def leave():
    sys.exit(3)


@pytest.mark.parametrize(
    ("when", "epochs_written"),
    [("opening", []), ("writing", [1]), ("closing", [1, 2, 3, 4])],
)
@pytest.mark.parametrize(
    ("how", "sentence"), [(fail, "OSError: .*No space left"), (leave, "SystemExit: 3")]
)
def test_sink_that_fails_costs_one_warning_and_changes_nothing(
    when, epochs_written, how, sentence, spec, tmp_path, register, log_without
):
    written = register("broken", **{when: how})
    sentence = rf"^broken:x failed \({sentence}.*\) and is left off; rofit export --to"
    with pytest.warns(Remark, match=sentence) as remarks:
        folder = trained(spec, tmp_path, "broken:x", f"csv:{tmp_path / 'csv'}")
    assert len(remarks) == 1
    assert written == epochs_written
    assert (folder.path / "epochs.jsonl").read_bytes() == log_without
    rows = READERS["csv"](tmp_path, folder.path.name)
    assert_same("csv", rows, expected_rows(folder))


@pytest.mark.parametrize("when", ["opening", "writing", "closing"])
def test_sink_that_hangs_is_left_off_when_the_run_has_ended(
    when, spec, tmp_path, register, log_without, monkeypatch
):
    monkeypatch.setattr(live, "_PATIENCE", 0.2)
    answer = threading.Event()
    register("hanging", **{when: answer.wait})
    try:
        with pytest.warns(Remark, match=r"^hanging has not answered for 0\.2 s and is"):
            folder = trained(spec, tmp_path, "hanging")
    finally:
        answer.set()
        for thread in threading.enumerate():
            if thread.name == "sink hanging":
                thread.join()
    assert (folder.path / "epochs.jsonl").read_bytes() == log_without


def test_sinks_get_only_epochs_whose_checkpoint_is_on_the_disk(
    spec, tmp_path, register
):
    from training_helpers import last_state

    kept = []
    folder = RunStore(tmp_path / "with").folder(spec.run_id)

    def look():
        kept.append(last_state(folder)["epoch"])

    register("looking", writing=look)
    trained(spec, tmp_path, "looking")
    assert kept and min(kept) >= 2


def test_runs_side_by_side_feed_a_sink_each(spec, tmp_path):
    specs = [spec.replace(seed=seed) for seed in (6, 7)]
    log_to = (f"csv:{tmp_path / 'csv'}",)
    folders = train(
        *specs, store=tmp_path / "runs", diagnostics=(), jobs=2, log_to=log_to
    )
    for folder in folders:
        rows = READERS["csv"](tmp_path, folder.path.name)
        assert_same("csv", rows, expected_rows(folder))


def test_a_run_that_is_trained_again_is_another_curve(spec, tmp_path, monkeypatch):
    log_to = (f"csv:{tmp_path / 'csv'}",)
    options = {"store": tmp_path / "runs", "diagnostics": (), "log_to": log_to}
    train(spec, **options)
    (one,) = (tmp_path / "csv").iterdir()
    monkeypatch.setattr(time, "gmtime", lambda: time.struct_time((2030,) + 8 * (1,)))
    train(spec, **options, again=True)
    (other,) = {*(tmp_path / "csv").iterdir()} - {one}
    assert other.name == f"{spec.run_id}-20300101T010101Z.csv"
    assert other.read_bytes() == one.read_bytes()


def test_run_and_reproduce_feed_sinks_too(tmp_path):
    words = ("run", "fig1_gradnorm", "--scale", "smoke", "--quiet", "--json")
    answer = rofit(tmp_path, *words, "--log-to", f"csv:{tmp_path / 'csv'}")
    assert answer.code == 0, answer.err
    folders = RunStore(tmp_path / "runs").runs()
    assert len(folders) == len([*(tmp_path / "csv").iterdir()]) > 1
    for folder in folders:
        rows = READERS["csv"](tmp_path, folder.path.name)
        assert_same("csv", rows, expected_rows(folder))


def test_nothing_but_the_sinks_own_is_printed(spec, tmp_path, capfd, monkeypatch):
    """Nothing at all, that is: a bar and a JSON answer stay whole."""
    for name, value in settings_of(tmp_path).items():
        monkeypatch.setenv(name, value)
    trained(spec, tmp_path, *(named(sink, tmp_path) for sink in INSTALLED))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("sink", EVERY_SINK)
def test_no_sink_looks_for_a_network(sink, spec, tmp_path, monkeypatch):
    """As far as Python sees: W&B's own process is told to stay offline."""
    for name, value in settings_of(tmp_path).items():
        monkeypatch.setenv(name, value)
    looked_up = []
    connect = socket.socket.connect

    def refuse(*words, **options):
        looked_up.append(words)
        raise OSError("no network in tests")

    def only_here(self, address):
        if self.family != getattr(socket, "AF_UNIX", None):
            refuse(address)
        connect(self, address)

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", only_here)
    (folder,) = train(spec.replace(seed=8), store=tmp_path / "runs", diagnostics=())
    assert feed(folder, named(sink, tmp_path)) > 0
    assert looked_up == []
