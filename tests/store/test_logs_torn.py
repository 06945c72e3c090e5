"""What load_logs cannot read it names, and leaves out nothing else.

The logs are those of a version without digests; `test_digests` has the others.
"""

import json
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_runs import PGD, ROWS, SGLS, stored, without_digests
from toy_problems import quick

from rofit.errors import UserError
from rofit.store.rows import load_logs

WHOLE = [json.dumps(row).encode() for row in ROWS]
FRAGMENTS = [line[:-7] for line in WHOLE] + [line[9:] for line in WHOLE]
OTHERS = [
    *(
        b"3",
        b"[]",
        b"null",
        b"{",
        b"}",
        b"{}",
        b'"text"',
        b"\0\0\0",
        b"\xff",
        b"epoch: 1",
    ),
    *(b'{"metric": "loss", "value": 1}', b'{"epoch": 3, "value": 1}'),
    *(b'{"epoch": 3.5, "metric": "loss"}', b'{"epoch": 3, "metric": 4}'),
    *(b'{"epoch": 9999999999, "metric": "loss"}', b'{"epoch": "3", "metric": "loss"}'),
    b'{"epoch": 3, "metric": "loss", "value": "1"}',
    b'{"epoch": 3, "metric": "\xff", "value": 1}',
    *(
        b'{"epoch": 3, "metric": "loss", "bin": %s}' % v
        for v in (b"[]", b"{}", b"true")
    ),
    b'{"epoch": 3, "metric": "loss", "bin": 1e999}',
]


@pytest.mark.parametrize("line", [1, 3, 4])
def test_truncated_row_is_left_out_and_named(tmp_path, line):
    path = without_digests(stored(tmp_path, SGLS, ROWS)).path / "epochs.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    lines[line - 1] = lines[line - 1][:-7] + ("\n" if line < 4 else "")
    path.write_text("".join(lines))
    with pytest.warns(UserWarning) as record:
        logs = load_logs(tmp_path)
    expected = f"{path}, line {line} cannot be read and is left out"
    assert [str(warning.message) for warning in record] == [expected]
    assert record[0].filename == __file__
    rest = [row["value"] for i, row in enumerate(ROWS, start=1) if i != line]
    assert logs["value"].tolist() == rest


@pytest.mark.parametrize("line", OTHERS, ids=repr)
def test_line_that_is_no_row_is_left_out_and_named(tmp_path, line):
    path = without_digests(stored(tmp_path, SGLS, ROWS)).path / "epochs.jsonl"
    path.write_bytes(b"\n".join([*WHOLE[:2], line, *WHOLE[2:]]))
    with pytest.warns(UserWarning, match=f"^{path}, line 3 cannot be read") as record:
        logs = load_logs(tmp_path)
    assert len(record) == 1
    assert logs["value"].tolist() == [row["value"] for row in ROWS]


@settings(quick, max_examples=25)
@given(st.lists(st.sampled_from([*WHOLE, *FRAGMENTS, *OTHERS, b""]), max_size=30))
def test_every_line_is_read_or_named_wherever_it_stands(tmp_path_factory, lines):
    folder = stored(tmp_path_factory.mktemp("store"), PGD, ROWS[:1])
    path = without_digests(folder).path
    (path / "epochs.jsonl").write_bytes(b"\n".join([WHOLE[0], *lines]))
    torn = [n for n, x in enumerate(lines, start=2) if x and x not in WHOLE]
    values = [json.loads(x)["value"] for x in [WHOLE[0], *lines] if x in WHOLE]
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        logs = load_logs(path.parent)
    assert [str(warning.message) for warning in record] == [
        f"{path / 'epochs.jsonl'}, line {n} cannot be read and is left out"
        for n in torn
    ]
    assert logs["value"].tolist() == values


BROKEN = {  # text of spec.json -> how it is reported
    json.dumps(PGD.as_dict(), indent=1)[:40]: "expected a spec.json at",
    json.dumps(PGD.as_dict() | {"epoch": 3}): "unknown field of a run 'epoch'; did you",
}


@pytest.mark.parametrize(("text", "message"), BROKEN.items(), ids=["torn", "later"])
def test_run_with_an_unreadable_spec_is_left_out_and_named(tmp_path, text, message):
    good = stored(tmp_path, SGLS, ROWS).path.name
    folder = stored(tmp_path, PGD, ROWS).path
    (folder / "spec.json").write_text(text)
    with pytest.warns(UserWarning, match=f"^{folder} is left out: {message}") as record:
        logs = load_logs(tmp_path)
    assert len(record) == 1 and record[0].filename == __file__
    assert set(logs["run_id"]) == {good}


@pytest.mark.parametrize(("text", "message"), BROKEN.items(), ids=["torn", "later"])
def test_named_run_with_an_unreadable_spec_is_a_user_error(tmp_path, text, message):
    good = stored(tmp_path, SGLS, ROWS).path.name
    folder = stored(tmp_path, PGD, ROWS).path
    (folder / "spec.json").write_text(text)
    with pytest.raises(UserError, match=message):
        load_logs(tmp_path, [good, folder.name])


def test_store_with_no_readable_run_is_a_user_error(tmp_path):
    (stored(tmp_path, PGD, ROWS).path / "spec.json").write_text("")
    with pytest.warns(UserWarning), pytest.raises(UserError, match="no run in .* can"):
        load_logs(tmp_path)


def test_run_whose_log_cannot_be_opened_is_left_out_and_named(tmp_path):
    stored(tmp_path, PGD, ROWS)
    path = stored(tmp_path, SGLS, []).path / "epochs.jsonl"
    path.mkdir()
    with pytest.warns(UserWarning, match=f"left out: {path} cannot be read"):
        assert set(load_logs(tmp_path)["run_id"]) == {PGD.run_id}
    with pytest.raises(UserError, match=f"^{path} cannot be read"):
        load_logs(tmp_path, [SGLS.run_id])


@pytest.mark.parametrize("key", ["norm", "run_id", "method_params.start"])
def test_run_whose_rows_have_a_key_of_the_spec_is_left_out_and_named(tmp_path, key):
    stored(tmp_path, PGD, ROWS)
    path = stored(tmp_path, SGLS, [*ROWS, ROWS[0] | {key: "l2"}]).path / "epochs.jsonl"
    message = f"{path} has a key '{key}', which is a field of the run"
    with pytest.warns(UserWarning, match=f"left out: {message}"):
        assert set(load_logs(tmp_path)["run_id"]) == {PGD.run_id}


@pytest.mark.parametrize("there", [True, False])
def test_store_without_runs_is_a_user_error(tmp_path, there):
    root = tmp_path if there else tmp_path / "nowhere"
    with pytest.raises(
        UserError, match=f"no runs in {root}; train one or name another"
    ):
        load_logs(root)


def test_named_run_that_is_not_there_is_a_user_error(tmp_path):
    stored(tmp_path, PGD, ROWS)
    with pytest.raises(UserError, match="expected a spec.json at .*pgd_at-nope"):
        load_logs(tmp_path, [PGD.run_id, "pgd_at-nope"])


def test_empty_selection_of_runs_is_a_user_error(tmp_path):
    stored(tmp_path, PGD, ROWS)
    with pytest.raises(UserError, match="empty list of run ids was given; leave it"):
        load_logs(tmp_path, [])
