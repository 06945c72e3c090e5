"""On a real Slurm of one node: signals, a time limit and a dead node change no bit.

Begun and ended by the tests. What runs there is a table at smoke scale and a longer
run; both are made on this machine as well, and are the same byte for byte.
"""

import json
import time
from contextlib import ExitStack

import one_node_slurm
import pytest
from command_line import rofit
from rofit.analyses import table7_components
from training_helpers import last_state, same

from rofit.store.runs import RunStore, read_events

pytestmark = pytest.mark.slurm

# Six methods, none with a teacher, and one with one.
TABLE = ["reproduce", "--table", "7", "--scale", "smoke"]
TAUGHT = ["train", "--method", "kd_swa", "--recipe", "sgls", "--scale", "smoke"]
LONG = ["train", "--method", "sgls", "--scale", "smoke", "--set", "epochs=600"]
ON_SLURM = ["--on", "slurm"]
SETTINGS = """
[slurm]
partition = "main"
time = 30
cpus_per_task = 1
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A Slurm whose commands the test's own process finds."""
    if reason := one_node_slurm.why_not():
        pytest.skip(reason)
    pytest.importorskip("submitit", reason="no submitit: pip install 'rofit[slurm]'")
    with ExitStack() as stack:
        begun = one_node_slurm.running_slurm(tmp_path_factory.mktemp("slurm"))
        try:
            slurm = stack.enter_context(begun)
        except one_node_slurm.NoSlurm as error:
            pytest.skip(f"NOT RUN: {error}")
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name in ("SLURM_CONF", "PATH"):
            patch.setenv(name, slurm.environment[name])
        yield slurm


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder from which the commands are given."""
    (tmp_path / "rofit.toml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _queue(slurm):
    """Return job -> state of what is in the queue."""
    lines = slurm.says("squeue", "--array", "--noheader", "--format=%i|%T").split()
    return dict(line.split("|") for line in lines)


def _jobs(answer):
    """Return run and kind of work -> job, of what a command says that it submitted."""
    lines = [line for line in answer.err.splitlines() if line.startswith("job ")]
    words = [line.split() for line in lines]
    return {(line[-1], line[2]): line[1] for line in words}


def _rows(home):
    """Return the jobs as rofit status has them."""
    answer = rofit(home, "status", "--scale", "smoke", "--json")
    assert answer.code == 0
    return json.loads(answer.out)[f"jobs of {home / 'runs'}"]


def _until(condition, seconds=900):
    for _ in range(2 * seconds):
        if condition():
            return
        time.sleep(0.5)
    pytest.fail(f"not within {seconds} seconds")


def _resumes(folder):
    return sum(event["event"] == "resume" for event in read_events(folder.path))


def _accuracies(answer):
    """Return what rofit eval --json has measured, without the seconds."""
    assert answer.code == 0, answer.err
    sections = json.loads(answer.out)
    return {
        title: [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
        for title, rows in sections.items()
    }


def test_failed_job_says_why_and_where_its_log_is(slurm, home):
    words = ["train", "--scale", "smoke", "--set", "train_size=129", *ON_SLURM]
    answer = rofit(home, *words, "--wait")
    assert answer.code == 1
    sentence = "rofit: 129 training images in batches of 64 leave a last batch of one"
    assert sentence in answer.err.splitlines()[-1]
    (row,) = _rows(home)
    assert row["state"] == "failed" and row["error"].startswith(sentence)
    with open(row["log"]) as log:
        assert sentence in log.read()
    (again,) = _jobs(rofit(home, *words)).values()
    slurm.says("scancel", again)
    assert again != row["job"], "what has failed is submitted again"
    _until(lambda: not _queue(slurm))


def test_signal_time_limit_and_dead_node_change_no_bit_of_a_run(
    slurm, home, tmp_path_factory
):
    (home / "rofit.toml").write_text(SETTINGS + "signal_delay_s = 120\n")
    answer = rofit(home, *LONG, *ON_SLURM)
    assert answer.code == 75 and "the same command goes on" in answer.err
    (((run, _), job),) = _jobs(answer).items()
    folder = RunStore(home / "runs").folder(run)
    messages = home / "runs" / "slurm" / "jobs" / f"{job}_0_log.out"
    _until(lambda: folder.state == "partial")
    slurm.says("scancel", "--signal=USR1", job)
    _until(lambda: _resumes(folder) == 1)
    assert "Caught signal SIGUSR1" in messages.read_text()
    slurm.kill_node()
    _until(lambda: "RUNNING" not in _queue(slurm).values())
    slurm.begin_node()
    _until(lambda: _resumes(folder) == 2)
    # A limit two minutes ahead at most, and back when its signal has come.
    *_, minutes, _ = slurm.says("squeue", "-h", "-o", "%M", "-j", job).split(":")
    limit = f"TimeLimit={int(minutes) + 2}"
    slurm.says("scontrol", "update", f"JobId={job}", limit)
    _until(lambda: "Caught signal SIGUSR2" in messages.read_text())
    slurm.says("scontrol", "update", f"JobId={job}", "TimeLimit=60")
    answer = rofit(home, *LONG, *ON_SLURM, "--wait")
    assert answer.code == 0 and not _jobs(answer), answer.err
    assert _resumes(folder) >= 3

    here = tmp_path_factory.mktemp("here")
    assert rofit(here, *LONG, "--quiet").code == 0
    _assert_same_runs(home, here)
    words = ["eval", run, "--attack", "pgd10", "--n", "33", "--json"]
    sharded = rofit(home, *words, *ON_SLURM, "--shards", "2", "--wait")
    assert _accuracies(sharded) == _accuracies(rofit(here, *words))
    assert len(_rows(home)) == 3 and {r["state"] for r in _rows(home)} == {"done"}


def test_processes_of_a_job_train_together_and_go_on_after_a_signal(slurm, home):
    words = [*LONG, *ON_SLURM, "--gpus", "2", "--device", "cpu"]
    (((run, _), job),) = _jobs(rofit(home, *words)).items()
    folder = RunStore(home / "runs").folder(run)
    _until(lambda: folder.state == "partial")
    slurm.says("scancel", "--signal=USR1", job)
    _until(lambda: _resumes(folder) == 1)
    starts = [e for e in read_events(folder.path) if e["event"] in ("start", "resume")]
    assert [event["environment"]["ranks"] for event in starts] == [2, 2]
    slurm.says("scancel", job)
    _until(lambda: not _queue(slurm))
    assert folder.state == "partial"


def test_table_made_by_jobs_is_that_of_one_machine(slurm, home, tmp_path_factory):
    answer = rofit(home, *TABLE, *ON_SLURM)
    assert answer.code == 75
    jobs = _jobs(answer)
    assert len(jobs) == 2 * len(table7_components.VARIANTS)  # with the evaluations
    again = rofit(home, *TABLE, *ON_SLURM)
    assert again.code == 75 and not _jobs(again)
    unfinished = {row["job"] for row in _rows(home) if row["state"] != "done"}
    assert unfinished and unfinished <= set(jobs.values())
    assert set(_queue(slurm)) <= set(jobs.values())
    (first, _), job = next(iter(jobs.items()))
    _until(lambda: (home / "runs" / first).exists())
    slurm.says("scancel", "--signal=USR1", job)
    answer = rofit(home, *TABLE, *ON_SLURM, "--wait")
    assert answer.code == 0 and not _jobs(answer), answer.err
    answer = rofit(home, *TAUGHT, *ON_SLURM, "--wait")
    assert answer.code == 0 and len(_jobs(answer)) == 2, "one is its teacher"
    assert {row["state"] for row in _rows(home)} == {"done"}

    here = tmp_path_factory.mktemp("here")
    for command in (TABLE, TAUGHT):
        assert rofit(here, *command, "--quiet").code == 0
    _assert_same_runs(home, here)
    (table,) = (here / "results").rglob("table.csv")
    assert (home / table.relative_to(here)).read_bytes() == table.read_bytes()


def _assert_same_runs(home, here):
    """Assert that the runs of both are the same, bit for bit."""
    for expected in RunStore(here / "runs").runs():
        folder = RunStore(home / "runs").folder(expected.path.name)
        for name in ("epochs.jsonl", "done.json"):
            bits = (expected.path / name).read_bytes()
            assert (folder.path / name).read_bytes() == bits
        same(last_state(folder), last_state(expected))
