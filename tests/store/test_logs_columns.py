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


def test_columns_are_what_is_read(folder):
    """As many bytes of other rows: only the copy can say what they were."""
    path = folder.path / "epochs.jsonl"
    path.write_text(path.read_text().replace("train", "strai"))
    assert "strai" not in set(load_logs(folder.path.parent)["split"])


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
