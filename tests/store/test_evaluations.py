"""Evaluations on the disk: whole or not at all, one writer a shard, result last."""

import errno
import os
import subprocess
import sys

import pandas as pd
import pytest
from made_up_evaluations import CASCADE, ONE, RESULT, finished, judged, some
from stored_runs import PGD, ROWS, stored

from rofit.errors import UserError
from rofit.evaluation.verdicts import COLUMNS, unattacked
from rofit.store.evaluations import EvaluationFolder, evaluations, read_verdicts
from rofit.writing import NotWritten

HOLD = """
import sys, pathlib
from rofit.store.evaluations import EvaluationFolder
from rofit.store.runs import RunFolder
run = RunFolder(pathlib.Path(sys.argv[1]))
with EvaluationFolder(run, "last-pgd20-1").opened((1, 2)):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def run(tmp_path):
    """The folder of a run that has rows."""
    return stored(tmp_path, PGD, ROWS)


@pytest.fixture
def folder(run):
    """The folder of an evaluation that has been begun."""
    evaluation = EvaluationFolder(run, "last-pgd20-1")
    with evaluation.opened(ONE):
        pass
    return evaluation


def test_nothing_is_made_before_a_shard_is_opened(run):
    folder = EvaluationFolder(run, "last-pgd20-1")
    assert folder.result is None and folder.load(ONE) is None
    assert folder.merged(1) is None
    assert not folder.path.exists()


def test_verdicts_are_loaded_as_they_were_saved(folder):
    table = judged(some(5))
    folder.save(unattacked(some(5)), ONE)
    folder.save(table, ONE)
    pd.testing.assert_frame_equal(folder.load(ONE), table)
    assert list(table) == list(COLUMNS)
    assert folder.result is None


def test_part_that_is_torn_anywhere_reads_as_none(folder):
    folder.save(judged(some(5)), ONE)
    (path,) = folder.path.glob("*.parquet")
    whole = path.read_bytes()
    for cut in range(0, len(whole), 97):
        path.write_bytes(whole[:cut])
        assert folder.load(ONE) is None and folder.merged(1) is None
    path.write_bytes(b"\0" * len(whole))
    assert folder.load(ONE) is None


def test_failed_save_leaves_the_verdicts_before(folder, monkeypatch):
    folder.save(judged(some(5)), ONE)

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(NotWritten, match="No space left"):
        folder.save(unattacked(some(5)), ONE)
    pd.testing.assert_frame_equal(folder.load(ONE), judged(some(5)))


@pytest.mark.parametrize("n", [3, 7, 8])
@pytest.mark.parametrize("of", [1, 2, 3])
def test_shards_merge_in_the_order_of_the_images(folder, n, of):
    for k in range(of, 0, -1):
        assert folder.merged(of) is None, "a shard is missing"
        folder.save(judged(some(n).share(k, of)), (k, of))
    pd.testing.assert_frame_equal(folder.merged(of), judged(some(n)))


def test_shards_that_no_image_falls_to_change_nothing(folder):
    for k in (1, 2, 3):
        folder.save(unattacked(some(2).share(k, 3)), (k, 3))
    pd.testing.assert_frame_equal(folder.merged(3), unattacked(some(2)))


def test_merge_waits_for_a_shard_that_is_torn(folder):
    for k in (1, 2):
        folder.save(judged(some(4).share(k, 2)), (k, 2))
    (folder.path / "part-2of2.parquet").write_bytes(b"PAR1")
    assert folder.merged(2) is None


@pytest.mark.parametrize(("begun", "requested"), [((1, 1), (1, 2)), ((2, 4), (2, 2))])
def test_another_number_of_shards_is_refused_and_changes_nothing(
    folder, begun, requested
):
    folder.save(judged(some(4)), begun)
    message = (
        rf"begun in {begun[1]} shard\(s\), not {requested[1]}; go on so, or move its"
    )
    with pytest.raises(UserError, match=message):
        with folder.opened(requested):
            pytest.fail("opened")
    with folder.opened(begun):
        assert folder.load(begun) is not None


def test_second_writer_of_a_shard_is_refused_and_of_another_is_not(folder, run):
    other = EvaluationFolder(run, folder.path.name)
    busy = f"{folder.path.name} of run {PGD.run_id} is being evaluated by another"
    with folder.opened((1, 2)):
        with pytest.raises(UserError, match=f"{busy} process; .* another --shard"):
            with other.opened((1, 2)):
                pytest.fail("opened")
        with other.opened((2, 2)):
            pass
    with other.opened((1, 2)):
        pass


def test_other_process_holds_a_shard_until_it_is_killed(folder, run):
    command = [sys.executable, "-c", HOLD, str(run.path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout is not None and other.stdout.readline() == "held\n"
            with pytest.raises(UserError, match="by another process; wait for it"):
                with folder.opened((1, 2)):
                    pytest.fail("opened")
        finally:
            other.kill()
    with folder.opened((1, 2)):
        pass


def test_error_inside_gives_the_shard_free(folder):
    with pytest.raises(KeyError):
        with folder.opened(ONE):
            raise KeyError
    with folder.opened(ONE):
        pass


def test_store_that_cannot_be_written_is_one_sentence(run):
    (run.path / "evaluations").touch()
    message = r"the store .* cannot be written \(.*\); choose another with --store"
    with pytest.raises(UserError, match=message):
        with EvaluationFolder(run, "last-pgd20-1").opened(ONE):
            pytest.fail("opened")


@pytest.mark.parametrize("broken", ["samples.parquet", "result.json"])
def test_result_is_written_last(folder, run, monkeypatch, broken):
    replace = os.replace

    def fail(source, target):
        if str(target).endswith(broken):
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(NotWritten, match="No space left"):
        folder.finish(judged(some(4)), RESULT)
    assert folder.result is None and evaluations(run) == []
    assert (folder.path / "samples.parquet").exists() == (broken == "result.json")


def test_evaluations_are_the_finished_ones_by_name(run):
    assert evaluations(run) == []
    finished(run, "last-pgd20-2")
    finished(run, "best-autoattack-1", CASCADE | {"checkpoint": "best"})
    with EvaluationFolder(run, "last-none-3").opened(ONE):
        pass
    torn = finished(run, "last-fgsm-4").path / "result.json"
    torn.write_text(torn.read_text()[:-20])
    (finished(run, "last-fgsm-5").path / "result.json").write_text("[]")
    (run.path / "evaluations" / "last-checks-ab12-linf-8.json").write_text("{}")
    with pytest.warns(UserWarning, match=r"last-fgsm-.*is damaged and is left out"):
        results = evaluations(run)
    assert results == [
        {"name": "best-autoattack-1"} | CASCADE | {"checkpoint": "best"},
        {"name": "last-pgd20-2"} | RESULT,
    ]


def test_verdicts_are_those_of_the_finished_evaluation(run):
    folder = finished(run)
    pd.testing.assert_frame_equal(read_verdicts(run, folder.path.name), judged(some(4)))
    path = folder.path / "samples.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    for name in (folder.path.name, "last-pgd20-9"):
        with pytest.raises(UserError, match=f"{name}/samples.* missing or damaged"):
            read_verdicts(run, name)
