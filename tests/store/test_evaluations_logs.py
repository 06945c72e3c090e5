"""Evaluations in the logs: rows of their own, which no curve and no gap takes in."""

import json

import pandas as pd
import pytest
from made_up_evaluations import AFTER, CASCADE, RESULT, finished
from stored_runs import PGD, ROWS, stored

from rofit.measures.metrics import best_last_gap, compare, curve
from rofit.store.evaluations import rows
from rofit.store.rows import ROW_COLUMNS, keep_columns, load_logs


@pytest.fixture
def run(tmp_path):
    """The folder of a run that has rows."""
    return stored(tmp_path, PGD, ROWS)


def test_result_is_a_row_and_a_cascade_a_row_for_each_attack_as_well(run):
    about = {"epoch": 2, "split": "test", "measured": "evaluation", "n": 4.0}
    about |= {"checkpoint": "last", "attack_norm": "linf", "attack_epsilon": 8 / 255}
    finished(run)
    alone = about | {"attack": "pgd20", "metric": "accuracy", "value": 0.25}
    assert rows(run) == [alone]
    finished(run, "last-autoattack-1", CASCADE)
    cascade = about | {"attack": "autoattack"}
    assert rows(run) == [
        cascade | {"metric": "accuracy", "value": 0.25},
        *(
            cascade | {"metric": "accuracy_after", "stage": stage, "value": left}
            for stage, left in AFTER.items()
        ),
        alone,
    ]
    assert json.loads(json.dumps(rows(run))) == rows(run)


def test_logs_hold_evaluations_beside_the_same_rows_as_before(run, tmp_path):
    before = load_logs(tmp_path)
    finished(run, "last-autoattack-1", CASCADE)
    logs = load_logs(tmp_path)
    added = logs[logs["measured"] == "evaluation"]
    assert added["metric"].tolist() == ["accuracy"] + ["accuracy_after"] * len(AFTER)
    names = ["checkpoint", "attack_norm", "attack_epsilon", "stage"]
    assert set(logs) - set(before) == set(names)
    assert set(added["checkpoint"]) == {"last"} and set(added["attack_norm"]) == {
        "linf"
    }
    assert set(added["attack_epsilon"]) == {8 / 255} and set(added["n"]) == {4}
    assert added["stage"].isna().tolist() == [True, False, False, False]
    assert added["stage"].dropna().tolist() == list(AFTER)
    types = logs.dtypes.astype(str)
    assert {name: types[name] for name in ROW_COLUMNS} == ROW_COLUMNS
    rest = logs[logs["measured"] != "evaluation"]
    assert rest[names].isna().all(axis=None) and len(rest) == len(before)
    values = [table[list(ROW_COLUMNS)].astype(object) for table in (rest, before)]
    pd.testing.assert_frame_equal(*(table.reset_index(drop=True) for table in values))


def test_stage_is_a_column_only_where_a_cascade_is(run, tmp_path):
    finished(run)
    assert "stage" not in load_logs(tmp_path) and "checkpoint" in load_logs(tmp_path)


def test_logs_without_evaluations_are_as_if_there_were_none(run, tmp_path):
    before = load_logs(tmp_path)
    finished(run, "last-autoattack-1", CASCADE)
    after = load_logs(tmp_path, evaluations=False)
    pd.testing.assert_frame_equal(after, before)


def test_columns_of_a_done_run_do_not_keep_evaluations(run, tmp_path):
    finished(run)
    run.finish({})
    keep_columns(run)
    assert (load_logs(tmp_path)["measured"] == "evaluation").sum() == 1
    assert len(load_logs(tmp_path, evaluations=False)) == len(ROWS)


def test_curves_gaps_and_comparisons_leave_evaluations_out(run, tmp_path):
    def summaries():
        logs = load_logs(tmp_path)
        tables = [curve(logs, split="test", robust=robust) for robust in (True, False)]
        return [*tables, best_last_gap(logs), compare(logs)]

    before = summaries()
    assert best_last_gap(load_logs(tmp_path))["best"].tolist() == [0.5]
    finished(run)
    finished(run, "last-autoattack-1", CASCADE)
    finished(run, "last-none-1", RESULT | {"attack": "none", "epsilon": 0.0})
    for one, other in zip(summaries(), before, strict=True):
        pd.testing.assert_frame_equal(one, other)
