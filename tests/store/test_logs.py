"""load_logs: one tidy, typed table of all that the runs of a store say."""

import json
import math
import warnings
from dataclasses import fields

import pandas as pd
import pytest
from stored_runs import ACCURACY, NORM, PGD, ROWS, SGLS, stored

from rofit.settings.spec import RunSpec
from rofit.store.rows import ROW_COLUMNS, load_logs
from rofit.store.runs import read_rows


def _types(store):
    return load_logs(store).dtypes.astype(str)


def test_a_row_a_number_with_what_it_says_and_nothing_where_it_does_not(tmp_path):
    stored(tmp_path, SGLS, ROWS)
    logs = load_logs(tmp_path)
    assert len(logs) == len(ROWS)
    for row, (_, read) in zip(ROWS, logs.iterrows(), strict=True):
        for column in ROW_COLUMNS:
            if column in row:
                assert read[column] == row[column]
            else:
                assert pd.isna(read[column])


@pytest.mark.parametrize(
    "rows", [ROWS, [], ROWS[1:2]], ids=["all", "no rows", "no attack"]
)
def test_columns_have_the_declared_types_also_where_nothing_fills_them(tmp_path, rows):
    stored(tmp_path, SGLS, rows)
    stored(tmp_path, PGD, rows)
    types = _types(tmp_path)
    assert {name: types[name] for name in ROW_COLUMNS} == ROW_COLUMNS


def test_columns_of_the_spec_have_the_types_of_its_fields(tmp_path):
    stored(tmp_path, SGLS, ROWS)
    stored(tmp_path, PGD, ROWS)
    typed = {str: "category", int: "int32", float: "float64", bool: "bool"}
    types = _types(tmp_path)
    for field in fields(RunSpec):
        if field.name != "method_params":
            assert types[field.name] == typed.get(field.type, "object"), field.name
    names = ("run_id", "family_id", "state", "method_params.attack_labels")
    assert {types[name] for name in names} == {"category"}


def test_gaps_turn_whole_numbers_into_floats_and_flags_into_boolean(tmp_path):
    params = (("flag", True), ("floor", 0.5), ("start", 2))
    stored(tmp_path, SGLS.replace(method_params=params), ROWS)
    whole = _types(tmp_path)
    stored(tmp_path, PGD, ROWS)
    gaps = _types(tmp_path)
    names = [f"method_params.{name}" for name, _ in params]
    assert [whole[name] for name in names] == ["bool", "float64", "int32"]
    assert [gaps[name] for name in names] == ["boolean", "float64", "float64"]


def test_whole_number_beyond_32_bits_is_kept(tmp_path):
    stored(tmp_path, PGD.replace(seed=2**40), ROWS)
    assert set(load_logs(tmp_path)["seed"]) == {2**40}


def test_every_field_of_the_spec_is_a_column(tmp_path):
    stored(tmp_path, SGLS, ROWS)
    logs = load_logs(tmp_path)
    for field in fields(RunSpec):
        if field.name != "method_params":
            assert logs[field.name].tolist() == [getattr(SGLS, field.name)] * len(logs)
    assert set(logs["method_params.start"]) == {0.5}
    assert set(logs["method_params.attack_labels"]) == {"given"}


def test_run_id_state_and_family_stand_beside_the_rows(tmp_path):
    folder = stored(tmp_path, SGLS, ROWS)
    stored(tmp_path, SGLS.replace(seed=4), ROWS)
    logs = load_logs(tmp_path)
    assert set(logs["run_id"]) == {SGLS.run_id, SGLS.replace(seed=4).run_id}
    assert set(logs["family_id"]) == {SGLS.family_id}
    assert set(logs["state"]) == {"partial"}
    folder.finish({})
    assert set(load_logs(tmp_path, [SGLS.run_id])["state"]) == {"done"}


def test_parameters_of_another_method_are_empty(tmp_path):
    stored(tmp_path, SGLS, ROWS)
    stored(tmp_path, PGD, ROWS)
    logs = load_logs(tmp_path).set_index("run_id")
    assert logs.loc[PGD.run_id, "method_params.start"].isna().all()
    assert (logs.loc[SGLS.run_id, "method_params.start"] == 0.5).all()
    assert logs.loc[PGD.run_id, "drops"].tolist() == [PGD.drops] * len(ROWS)


KEYS = {"portion": "corrupted", "labels": "given", "layer": "stem", "prior": "zero"}
NUMBERS = {"bin": 3, "a": 0.5, "u": -1, "v": 1}


def test_keys_of_diagnostics_are_columns_only_where_some_row_has_them(tmp_path):
    stored(tmp_path, PGD, ROWS)
    assert not {*KEYS, *NUMBERS} & set(load_logs(tmp_path))
    row = {"epoch": 1} | NORM | KEYS | NUMBERS | {"value": 1.5}
    stored(tmp_path, SGLS, [*ROWS, row])
    logs = load_logs(tmp_path)
    assert {name: str(logs.dtypes[name]) for name in NUMBERS} == dict.fromkeys(
        NUMBERS, "float64"
    )
    assert {str(logs.dtypes[name]) for name in KEYS} == {"category"}
    rows = logs[logs["portion"].notna()]
    assert len(rows) == 1 and set(rows["run_id"]) == {SGLS.run_id}
    assert rows[[*row]].iloc[0].to_dict() == row
    assert logs[[*KEYS, *NUMBERS]].isna().sum().eq(2 * len(ROWS)).all()


def test_key_that_says_nothing_in_any_row_is_no_column(tmp_path):
    stored(tmp_path, PGD, [row | {"portion": None} for row in ROWS])
    assert "portion" not in load_logs(tmp_path)


def test_key_that_is_a_number_here_and_a_text_there_is_a_text(tmp_path):
    row = {"epoch": 1} | NORM | {"value": 1.5}
    stored(tmp_path, PGD, [row | {"layer": 4}, row | {"layer": "stem"}])
    stored(tmp_path, SGLS, [row | {"layer": 4}, row])
    layers = load_logs(tmp_path)["layer"]
    assert layers.dropna().tolist() == ["4", "stem", "4"]


def test_categories_are_in_alphabetical_order_whatever_comes_first(tmp_path):
    rows = [{"epoch": 1} | NORM | {"value": 1, "split": s} for s in ("val", "a", "t")]
    for seed in range(3):
        stored(tmp_path, PGD.replace(seed=seed), rows[seed:])
    logs = load_logs(tmp_path)
    for name in ("run_id", "split", "method"):
        assert list(logs[name].cat.categories) == sorted(set(logs[name]))


def test_only_the_named_runs_are_read_in_the_order_named(tmp_path):
    ids = [stored(tmp_path, PGD.replace(seed=s), ROWS).path.name for s in range(3)]
    logs = load_logs(str(tmp_path), reversed(ids[:2]))
    assert logs["run_id"].drop_duplicates().tolist() == [ids[1], ids[0]]


def test_a_store_of_many_rows_is_what_reading_line_by_line_gives(tmp_path):
    for seed in range(4):
        rows = [
            row | {"epoch": epoch, "value": math.sin(seed + epoch)}
            for epoch in range(1, 30 + seed)
            for row in (ROWS[0], ROWS[1], ROWS[1] | KEYS)
        ]
        stored(tmp_path, PGD.replace(seed=seed), rows)
    logs = load_logs(tmp_path)
    names = [*ROW_COLUMNS, *KEYS, "run_id", "seed"]
    twin = [
        row | {"run_id": path.name} | json.loads((path / "spec.json").read_text())
        for path in sorted(tmp_path.iterdir())
        for row in read_rows(path)
    ]
    table = logs[names].astype(object).where(logs[names].notna(), None)
    assert table.values.tolist() == [[row.get(n) for n in names] for row in twin]


def test_whole_files_are_read_without_a_warning(tmp_path):
    stored(tmp_path, SGLS, [ROWS[0] | {"value": math.nan}, *ROWS[1:]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = load_logs(tmp_path)["value"].tolist()
    assert math.isnan(values[0]) and values[1:] == [3, 0.5, 2.5]


def test_long_file_is_read_as_the_json_of_its_lines(tmp_path):
    """Beyond a million bytes, where the reader must change its mind about a type."""
    steady, late = ROWS[1] | {"value": 0}, ROWS[0] | {"value": 1 / 3, "a": 0.25}
    rows = [steady | {"a": 1}] * 15_000 + [late]
    stored(tmp_path, PGD, rows)
    assert (tmp_path / PGD.run_id / "epochs.jsonl").stat().st_size > 1 << 20
    logs = load_logs(tmp_path)
    assert logs["value"].tolist() == [row["value"] for row in rows]
    assert logs["a"].tolist() == [row["a"] for row in rows]
    assert logs["attack"].iloc[-1] == "pgd20" and logs["attack"].isna().sum() == 15_000


def test_run_without_epochs_has_all_columns_and_no_row(tmp_path):
    stored(tmp_path, SGLS, [])
    logs = load_logs(tmp_path)
    assert len(logs) == 0
    assert {"run_id", "drops", "method_params.start", *ROW_COLUMNS} <= set(logs)


def test_run_without_epochs_does_not_spoil_the_types_of_another(tmp_path):
    stored(tmp_path, PGD, ROWS)
    alone = load_logs(tmp_path)
    stored(tmp_path, PGD.replace(seed=1), [])
    pd.testing.assert_frame_equal(load_logs(tmp_path), alone)


def test_texts_beyond_ascii_are_read(tmp_path):
    path = stored(tmp_path, PGD, ROWS).path / "epochs.jsonl"
    row = {"epoch": 3} | ACCURACY | {"value": 1, "portion": "ε → unberührt"}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
    assert load_logs(tmp_path)["portion"].dropna().tolist() == [row["portion"]]


def test_blank_lines_and_line_ends_of_another_system_are_nothing_torn(tmp_path):
    path = stored(tmp_path, PGD, ROWS).path / "epochs.jsonl"
    alone = load_logs(tmp_path)
    path.write_bytes(b"\r\n \n" + path.read_bytes().replace(b"\n", b"\r\n\r\n"))
    pd.testing.assert_frame_equal(load_logs(tmp_path), alone)
