"""The copy in columns says what the text says, and is not believed once it is old."""

import json

import pandas as pd
import pytest
from stored_runs import NORM, PGD, ROWS, SGLS, stored

from rofit.errors import UserError
from rofit.store.rows import keep_columns, load_logs

MORE = [{"epoch": 3, "bin": 2, "labels": "given", "value": None} | NORM]


@pytest.fixture
def folder(tmp_path):
    """A run whose rows are kept in columns, beside one that has the text only."""
    folder = stored(tmp_path, SGLS, ROWS + MORE)
    stored(tmp_path, PGD, [{"portion": "corrupted"} | row for row in ROWS])
    keep_columns(folder)
    return folder


def test_columns_give_the_table_that_the_text_gives(folder):
    kept = load_logs(folder.path.parent)
    (folder.path / "epochs.parquet").unlink()
    from_text = load_logs(folder.path.parent)
    pd.testing.assert_frame_equal(kept, from_text[list(kept)])
    assert set(kept) == set(from_text)


@pytest.mark.parametrize("damage", [("train", "strai"), ('"epoch": 2', '"epoch": 1')])
def test_columns_are_read_where_the_text_is_damaged(folder, damage):
    """As many bytes of other rows: only the copy can say what they were."""
    before = load_logs(folder.path.parent)
    path = folder.path / "epochs.jsonl"
    path.write_text(path.read_text().replace(*damage))
    with pytest.warns(UserWarning, match=f"{path} is damaged; epochs.parquet beside"):
        pd.testing.assert_frame_equal(load_logs(folder.path.parent), before)


def test_columns_that_are_damaged_too_are_not_read(folder):
    path = folder.path / "epochs.jsonl"
    path.write_text(path.read_text().replace('"epoch": 2', '"epoch": 1', 1))
    copy = bytearray((folder.path / "epochs.parquet").read_bytes())
    copy[100] ^= 1
    (folder.path / "epochs.parquet").write_bytes(copy)
    with pytest.warns(UserWarning, match="rows of epochs 1 and 2 are not those"):
        logs = load_logs(folder.path.parent, [folder.path.name])
    assert set(logs["epoch"]) == {3}


def test_text_that_has_grown_is_read_instead(folder):
    folder.append([{"epoch": 4, "value": 9.0} | NORM])
    logs = load_logs(folder.path.parent, [folder.path.name])
    assert logs["epoch"].max() == 4


def test_a_key_that_is_a_field_of_the_run_is_refused_from_columns_too(tmp_path):
    folder = stored(tmp_path, PGD, [{"model": "mine"} | row for row in ROWS])
    keep_columns(folder)
    with pytest.raises(UserError, match="has a key 'model', which is a field"):
        load_logs(tmp_path, [folder.path.name])


def test_columns_that_cannot_be_read_are_passed_over(folder):
    before = load_logs(folder.path.parent)
    path = folder.path / "epochs.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    after = load_logs(folder.path.parent)
    pd.testing.assert_frame_equal(before, after[list(before)])


def test_a_torn_line_is_never_hidden_by_columns(tmp_path):
    folder = stored(tmp_path, PGD, ROWS)
    with (folder.path / "epochs.jsonl").open("a") as file:
        file.write(json.dumps({"epoch": 3} | NORM)[:20])
    keep_columns(folder)
    assert not (folder.path / "epochs.parquet").exists()
    with pytest.warns(UserWarning, match="line 5 cannot be read"):
        load_logs(tmp_path)
