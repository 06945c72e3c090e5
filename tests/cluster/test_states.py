"""How far jobs are: by a queue that is given, runs' folders and logs."""

import pytest
from made_up_logs import course, write_run

from rofit.cluster.ledger import Ledger, Submitted
from rofit.cluster.queue import Queued, parse_queue
from rofit.cluster.states import TRAINING, last_line, minutes_left, rows, sentence
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunStore

SPEC = RunSpec(epochs=10)
EVALUATION = "evaluation by clean"


@pytest.fixture
def ledger(tmp_path):
    """Where jobs of a store are written down."""
    ledger = Ledger(tmp_path)
    with ledger.held():
        yield ledger


def _only(tmp_path, queue):
    (row,) = rows(RunStore(tmp_path), queue)
    return row


def _half_trained(tmp_path):
    about = {"attack": "pgd20", "measured": "epoch_end", "n": 64, "metric": "accuracy"}
    write_run(tmp_path, SPEC, course([0.5, 0.25], **about, split="test"))
    folder = RunStore(tmp_path).folder(SPEC.run_id)
    (folder.path / "done.json").unlink(missing_ok=True)
    return folder


def test_queue_is_read_line_by_line():
    text = "12_3|RUNNING|node7\n13|PENDING|\n"
    expected = {"12_3": Queued("running", "node7"), "13": Queued("pending", "")}
    assert parse_queue(text) == expected
    assert parse_queue("") == {}


def test_running_job_has_its_node_and_its_epoch(ledger, tmp_path):
    ledger.add([Submitted(SPEC.run_id, TRAINING, "12_3")])
    _half_trained(tmp_path)
    row = _only(tmp_path, {"12_3": Queued("running", "node7")})
    expected = {"state": "running", "job": "12_3", "node": "node7", "epoch": "2/10"}
    assert expected.items() <= row.items() and row["error"] is None
    assert sentence(row) == (
        f"{SPEC.run_id}  training  running on node7  job 12_3  epoch 2/10"
    )


def test_waiting_job_has_no_node(ledger, tmp_path):
    ledger.add([Submitted(SPEC.run_id, TRAINING, "12_3")])
    row = _only(tmp_path, {"12_3": Queued("pending", "")})
    assert (row["state"], row["node"], row["epoch"]) == ("pending", None, None)


def test_job_that_left_no_result_has_failed_with_its_last_line(ledger, tmp_path):
    ledger.add([Submitted(SPEC.run_id, TRAINING, "12_3")])
    log = tmp_path / "slurm" / "jobs" / "12_3_0_log.err"
    log.write_text("epoch 1/10\nrofit: the loss became nan\n")
    row = _only(tmp_path, {"99": Queued("running", "node7")})
    assert (row["state"], row["error"]) == ("failed", "rofit: the loss became nan")
    assert row["log"] == str(log)
    assert sentence(row).endswith(f"failed  job 12_3: {row['error']} ({log})")


def test_training_is_done_by_its_folder_and_an_evaluation_by_its_result(
    ledger, tmp_path
):
    ledger.add([Submitted(SPEC.run_id, TRAINING, "1")])
    folder = _half_trained(tmp_path)
    assert _only(tmp_path, {})["state"] == "failed"
    folder.finish({"epochs": 10})
    ledger.add([Submitted(SPEC.run_id, EVALUATION, "2")])
    states = [row["state"] for row in rows(RunStore(tmp_path), {})]
    assert states == ["done", "failed"]
    (tmp_path / "slurm" / "jobs" / "2_0_result.pkl").touch()
    assert rows(RunStore(tmp_path), {})[1]["state"] == "done"


def test_jobs_submitted_last_count_all_shards_of_them(ledger, tmp_path):
    ledger.add([Submitted(SPEC.run_id, EVALUATION, f"1_{k}") for k in range(3)])
    ledger.add([Submitted(SPEC.run_id, EVALUATION, f"2_{k}") for k in range(2)])
    jobs = [row["job"] for row in rows(RunStore(tmp_path), {})]
    assert jobs == ["2_0", "2_1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb\n\n", "b"),
        ("why\nsrun: error: n: task 0: Exited with exit code 1\n", "why"),
        ("slurmstepd: error: Detected 1 oom_kill event\n", "slurmstepd: error: Detec"),
        ("", "the log is empty"),
    ],
)
def test_last_line_is_the_one_that_says_why(tmp_path, text, expected):
    (tmp_path / "log").write_text(text)
    assert last_line(tmp_path / "log").startswith(expected)
    assert last_line(tmp_path / "none") == "no log was written"


def test_minutes_left_are_those_of_the_epochs_since_the_last_start():
    begun = {"event": "resume", "epoch": 4, "at": "1970-01-01T00:10:00Z"}
    # two epochs in four minutes: four more take eight
    assert minutes_left(begun, 6, 10, now=840.0) == 8.0
    assert minutes_left(begun, 4, 10, now=840.0) is None
    started = {"event": "start", "at": "1970-01-01T00:00:00Z"}
    assert minutes_left(started, 1, 2, now=60.0) == 1.0
