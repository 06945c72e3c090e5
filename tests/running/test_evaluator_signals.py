"""What kills, signals and time limits do to an evaluation: it goes on as begun."""

import signal
import time

import pandas as pd
import pytest
from command_line import rofit
from evaluated_runs import SPEC, evaluated, load, trained
from forked_command import ForkedCommand

from rofit.evaluation.cases import read_cases
from rofit.store.evaluations import EvaluationFolder, evaluations, read_verdicts

POLLS = 60_000  # of 10 ms at most: a limit for what hangs
N, BATCH = 6, 2
ONE = (1, 1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run, trained once."""
    return trained(tmp_path_factory.mktemp("trained"))


def begun(run, attack, n=N):
    """Return the folder that the evaluation of the last checkpoint has, and will."""
    subject = load(run)
    (case,) = read_cases([attack], subject.spec, n=n)
    return EvaluationFolder(run, f"last-{case.key(subject.digest)}")


def words(attack, batch=BATCH, n=N):
    return [
        *("eval", SPEC.run_id, "--checkpoint", "last", "--attack", attack, "--quiet"),
        *("--n", str(n), "--batch-size", str(batch), "--engine", "eager"),
    ]


def home(run):
    return run.path.parents[1]


class Command(ForkedCommand):
    """An evaluation in a process of its own."""

    def __init__(self, run, attack, **changes):
        self.kept = begun(run, attack)
        super().__init__(home(run), *words(attack, **changes))

    def wait_for_stage(self, number):
        """Wait until some image has been through so many stages."""
        for _ in range(POLLS):
            table = self.kept.load(ONE)
            if table is not None and table["stages"].max() >= number:
                return
            assert self.returncode is None, self.errors.read_text()
            time.sleep(0.01)
        raise TimeoutError


@pytest.fixture
def start(run):
    """A function from an attack to its command, started."""
    started = []

    def begin(attack, **changes):
        started.append(Command(run, attack, **changes))
        return started[-1]

    yield begin
    for command in started:
        command.end()


def test_autoattack_killed_twice_ends_with_the_verdicts_of_an_unbroken_one(
    run, start, tmp_path
):
    pytest.importorskip("pyautoattack")
    whole, done = evaluated(load(run), tmp_path, "autoattack", n=N, chunk=BATCH)
    assert done
    (result,) = evaluations(whole)
    assert 0 < result["accuracy"] < result["after"]["clean"] < 1
    for stage in (1, 8):  # once begun; amid the targeted attacks
        command = start("autoattack")
        command.wait_for_stage(stage)
        assert command.send(signal.SIGKILL)[0] == -signal.SIGKILL
        assert command.kept.result is None and evaluations(run) == []
        assert command.kept.load(ONE)["stages"].max() >= stage
    assert rofit(home(run), *words("autoattack")).code == 0
    (resumed,) = evaluations(run)
    assert {resumed[key] == result[key] for key in ("name", "accuracy", "after", "n")}
    tables = [read_verdicts(folder, result["name"]) for folder in (run, whole)]
    pd.testing.assert_frame_equal(*tables)


def test_termination_is_a_stop_after_the_batch_and_the_command_goes_on(run, start):
    attack = "pgd50x900"  # a minute: the signal comes in time on any machine
    command = start(attack)
    command.wait_for_stage(3)
    code, err = command.send(signal.SIGTERM)
    assert (code, err) == (75, "unfinished: the same command goes on from here\n")
    kept = command.kept
    before = kept.load(ONE)
    assert kept.result is None and before["stages"].max() >= 3
    assert rofit(home(run), *words(attack), "--max-minutes", 0).code == 75
    after = kept.load(ONE)
    assert 0 < (after["stages"] - before["stages"]).sum() <= BATCH
    assert (after["stages"] >= before["stages"]).all()


def test_time_limit_of_nothing_makes_one_batch_each_time(run, tmp_path):
    attack, totals, kept = "pgd3x2", [], begun(run, "pgd3x2")
    for _ in range(20):
        answer = rofit(home(run), *words(attack), "--max-minutes", 0)
        if answer.code == 0:
            break
        assert answer.code == 75
        assert answer.err == "unfinished: the same command goes on from here\n"
        totals.append(kept.load(ONE)["stages"].sum())
    assert answer.code == 0 and kept.result is not None
    steps = [b - a for a, b in zip([0, *totals], totals, strict=False)]
    assert len(steps) > 4 and all(0 < step <= BATCH for step in steps)
    whole, _ = evaluated(load(run), tmp_path, attack, n=N, chunk=BATCH)
    tables = [read_verdicts(folder, kept.path.name) for folder in (run, whole)]
    pd.testing.assert_frame_equal(*tables)


def test_what_is_left_after_a_time_limit_is_never_called_done(run):
    command = ("eval", SPEC.run_id, "--attack", "pgd2", "--quiet", "--max-minutes", 0)
    for _ in range(20):
        if rofit(home(run), *command).code == 0:
            break
    names = {r["checkpoint"] for r in evaluations(run) if r["attack"] == "pgd2"}
    assert names == {"best", "last"}
