"""What --wait shows and answers, by queues that are given one after another."""

import io
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from rofit.cluster import slurm
from rofit.cluster.ledger import Ledger, Submitted
from rofit.cluster.queue import Queued
from rofit.cluster.settings import SlurmSettings
from rofit.cluster.states import TRAINING
from rofit.cluster.tasks import Task
from rofit.errors import UserError
from rofit.store.runs import RunStore

RUNNING = {"1": Queued("running", "node7")}


@dataclass(frozen=True)
class _Work:
    file: Path
    name: str = "run a"

    @property
    def is_done(self):
        return self.file.exists()


@pytest.fixture
def follow(tmp_path, monkeypatch):
    """Follow one job through queues; a queue may be a function that returns it."""
    folder = RunStore(tmp_path).folder("a")
    folder.path.mkdir()
    ledger = Ledger(tmp_path)
    with ledger.held():
        ledger.add([Submitted("a", TRAINING, "1")])
    task = Task("a", TRAINING, _Work(folder.path / "done.json"))

    def follow(*queues):
        given = list(queues)

        def read_queue():
            queue = given.pop(0) if given else {}
            return queue() if callable(queue) else queue

        monkeypatch.setattr(slurm, "read_queue", read_queue)
        monkeypatch.setattr(slurm, "_pause", lambda seconds, stop: None)
        text = io.StringIO()
        console = Console(file=text, width=200)
        where = slurm.Slurm(SlurmSettings(), RunStore(tmp_path), console)
        try:
            return where.follow([task]), text.getvalue().splitlines()
        except slurm.JobsFailed as error:
            return str(error), text.getvalue().splitlines()

    follow.folder, follow.log = folder, ledger.log("1")
    return follow


def _finish(folder):
    def queue():
        (folder.path / "done.json").touch()
        return {}

    return queue


def test_a_line_is_shown_when_the_state_changes_and_the_end_is_done(follow):
    done, lines = follow(RUNNING, RUNNING, _finish(follow.folder))
    assert done is True
    assert lines == ["a  training  running on node7  job 1", "a  training  done"]


def test_result_that_comes_late_is_waited_for(follow):
    done, lines = follow(RUNNING, {}, {}, _finish(follow.folder))
    assert done is True and lines[-1] == "a  training  done"
    assert not any("failed" in line for line in lines)


def test_job_that_says_why_it_failed_is_not_waited_for(follow):
    follow.log.write_text("rofit: no data\n")
    failed, lines = follow(RUNNING, {}, _finish(follow.folder))
    assert failed == f"a  training  failed  job 1: rofit: no data ({follow.log})"
    assert lines[-1] == failed


def test_job_that_says_nothing_has_failed_in_the_end(follow):
    failed, _ = follow(RUNNING)
    assert failed.startswith("a  training  failed  job 1: no log was written")


def test_queue_that_does_not_answer_is_asked_again(follow):
    def away():
        raise UserError("squeue failed")

    done, _ = follow(away, RUNNING, away, _finish(follow.folder))
    assert done is True
    with pytest.raises(UserError, match="squeue failed"):
        follow(*[away] * 1000)
