"""load_logs: one tidy, typed table, and a word about every line that is left out."""

import json
import math
import warnings
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rofit.errors import UserError
from rofit.logs import ROW_COLUMNS, load_logs
from rofit.spec import RunSpec
from rofit.store import RunFolder, RunStore

SGLS = RunSpec(
    method="sgls",
    method_params=(("attack_labels", "given"), ("start", 0.5)),
    drops=(0.25, 0.5, 0.75),
    blocks=(1, 2),
    seed=3,
)
PGD = RunSpec(epochs=3)
ACCURACY = {"split": "test", "attack": "pgd20", "metric": "accuracy", "n": 64}
MEASURED = {"measured": "epoch_end"}
NORM = {"split": "train", "metric": "gradient_norm"}
ROWS: list[dict[str, Any]] = [
    {"epoch": 1} | ACCURACY | MEASURED | {"value": 0.25},
    {"epoch": 1} | NORM | {"value": 3},
    {"epoch": 2} | ACCURACY | MEASURED | {"value": 0.5},
    {"epoch": 2} | NORM | {"value": 2.5},
]


def _run(root: Path, spec: RunSpec, rows: list[dict[str, Any]]) -> RunFolder:
    folder = RunStore(root).folder(spec.run_id)
    ids = {"run_id": spec.run_id, "family_id": spec.family_id}
    with folder.opened(ids | spec.as_dict()):
        if rows:
            folder.append(rows)
    return folder


def test_a_row_a_number_with_what_it_says_and_nothing_where_it_does_not(tmp_path):
    _run(tmp_path, SGLS, ROWS)
    logs = load_logs(tmp_path)
    assert len(logs) == len(ROWS)
    for row, (_, read) in zip(ROWS, logs.iterrows(), strict=True):
        for column in ROW_COLUMNS:
            if column in row:
                assert read[column] == row[column]
            else:
                assert pd.isna(read[column])


def test_columns_have_the_declared_types(tmp_path):
    _run(tmp_path, SGLS, ROWS)
    _run(tmp_path, PGD, ROWS)
    types = load_logs(tmp_path).dtypes.astype(str)
    assert {name: types[name] for name in ROW_COLUMNS} == ROW_COLUMNS


@pytest.mark.parametrize("rows", [[], ROWS[1:2]], ids=["no rows", "no attack"])
def test_columns_have_the_declared_types_when_nothing_fills_them(tmp_path, rows):
    _run(tmp_path, SGLS, rows)
    types = load_logs(tmp_path).dtypes.astype(str)
    assert {name: types[name] for name in ROW_COLUMNS} == ROW_COLUMNS


def test_every_field_of_the_spec_is_a_column(tmp_path):
    _run(tmp_path, SGLS, ROWS)
    logs = load_logs(tmp_path)
    for each in fields(RunSpec):
        if each.name != "method_params":
            assert logs[each.name].tolist() == [getattr(SGLS, each.name)] * len(logs)
    assert set(logs["method_params.start"]) == {0.5}
    assert set(logs["method_params.attack_labels"]) == {"given"}


def test_run_id_state_and_family_stand_beside_the_rows(tmp_path):
    folder = _run(tmp_path, SGLS, ROWS)
    _run(tmp_path, SGLS.replace(seed=4), ROWS)
    logs = load_logs(tmp_path)
    assert set(logs["run_id"]) == {SGLS.run_id, SGLS.replace(seed=4).run_id}
    assert set(logs["family_id"]) == {SGLS.family_id}
    assert set(logs["state"]) == {"partial"}
    folder.finish({})
    assert set(load_logs(tmp_path, [SGLS.run_id])["state"]) == {"done"}


def test_parameters_of_another_method_are_empty(tmp_path):
    _run(tmp_path, SGLS, ROWS)
    _run(tmp_path, PGD, ROWS)
    logs = load_logs(tmp_path).set_index("run_id")
    assert logs.loc[PGD.run_id, "method_params.start"].isna().all()
    assert (logs.loc[SGLS.run_id, "method_params.start"] == 0.5).all()
    assert logs.loc[PGD.run_id, "drops"].tolist() == [PGD.drops] * len(ROWS)


def test_only_the_named_runs_are_read_in_the_order_named(tmp_path):
    ids = [_run(tmp_path, PGD.replace(seed=s), ROWS).path.name for s in range(3)]
    logs = load_logs(str(tmp_path), reversed(ids[:2]))
    assert logs["run_id"].drop_duplicates().tolist() == [ids[1], ids[0]]


@pytest.mark.parametrize("line", [1, 3, 4])
def test_truncated_row_is_left_out_and_named(tmp_path, line):
    path = _run(tmp_path, SGLS, ROWS).path / "epochs.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    lines[line - 1] = lines[line - 1][:-7] + ("\n" if line < 4 else "")
    path.write_text("".join(lines))
    with pytest.warns(UserWarning) as told:
        logs = load_logs(tmp_path)
    expected = f"{path}, line {line} cannot be read and is left out"
    assert [str(each.message) for each in told] == [expected]
    rest = [row["value"] for i, row in enumerate(ROWS, start=1) if i != line]
    assert logs["value"].tolist() == rest


def test_whole_files_are_read_without_a_warning(tmp_path):
    _run(tmp_path, SGLS, [ROWS[0] | {"value": math.nan}, *ROWS[1:]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = load_logs(tmp_path)["value"].tolist()
    assert math.isnan(values[0]) and values[1:] == [3, 0.5, 2.5]


def test_long_file_is_read_as_the_json_of_its_lines(tmp_path):
    """Beyond a million bytes, where the reader must change its mind about a type."""
    steady, late = ROWS[1] | {"value": 0}, ROWS[0] | {"value": 1 / 3}
    rows = [steady] * 15_000 + [late]
    _run(tmp_path, PGD, rows)
    assert (tmp_path / PGD.run_id / "epochs.jsonl").stat().st_size > 1 << 20
    logs = load_logs(tmp_path)
    assert logs["value"].tolist() == [row["value"] for row in rows]
    assert logs["attack"].iloc[-1] == "pgd20" and logs["attack"].isna().sum() == 15_000


def test_run_without_epochs_has_all_columns_and_no_row(tmp_path):
    _run(tmp_path, SGLS, [])
    logs = load_logs(tmp_path)
    assert len(logs) == 0
    assert {"run_id", "drops", "method_params.start", *ROW_COLUMNS} <= set(logs)


def test_run_without_epochs_does_not_spoil_the_types_of_another(tmp_path):
    _run(tmp_path, PGD, ROWS)
    alone = load_logs(tmp_path)
    _run(tmp_path, PGD.replace(seed=1), [])
    pd.testing.assert_frame_equal(load_logs(tmp_path), alone)


@pytest.mark.parametrize("there", [True, False])
def test_store_without_runs_is_a_user_error(tmp_path, there):
    root = tmp_path if there else tmp_path / "nowhere"
    with pytest.raises(
        UserError, match=f"no runs in {root}; train one or name another"
    ):
        load_logs(root)


def test_named_run_that_is_not_there_is_a_user_error(tmp_path):
    _run(tmp_path, PGD, ROWS)
    with pytest.raises(UserError, match="expected a spec.json at .*pgd_at-nope"):
        load_logs(tmp_path, [PGD.run_id, "pgd_at-nope"])


def test_broken_spec_is_a_user_error_that_names_the_run(tmp_path):
    path = _run(tmp_path, PGD, ROWS).path / "spec.json"
    path.write_text(path.read_text()[:40])
    with pytest.raises(UserError, match=f"expected a spec.json at {path}, got"):
        load_logs(tmp_path)


def test_spec_with_a_field_of_a_later_version_is_a_user_error(tmp_path):
    path = _run(tmp_path, PGD, ROWS).path / "spec.json"
    path.write_text(json.dumps(PGD.as_dict() | {"epoch": 3}))
    with pytest.raises(UserError, match="unknown field of a run 'epoch'; did you mean"):
        load_logs(tmp_path)


def test_empty_selection_of_runs_is_a_user_error(tmp_path):
    _run(tmp_path, PGD, ROWS)
    with pytest.raises(UserError):
        load_logs(tmp_path, [])
