"""load_samples: per-example tables of all epochs and runs as one."""

import numpy as np
import pandas as pd
import pytest
from stored_runs import PGD, SGLS, stored

from rofit.errors import UserError
from rofit.store.rows import load_logs
from rofit.store.runs import RunFolder
from rofit.store.samples import load_samples

LEADING = ["run_id", "epoch", "method", "seed"]


def _table(seed, n=3):
    """Return samples of n examples in the types that a diagnostic writes."""
    rng = np.random.default_rng(seed)
    return {
        "position": np.arange(n),
        "y": rng.integers(0, 10, n),
        "margin": rng.random(n).astype(np.float32),
        "redrawn": rng.random(n) < 0.5,
    }


def _write_samples(root, spec, tables) -> RunFolder:
    """Put a run with samples into the store: name of the file -> table."""
    folder = stored(root, spec, [])
    for name, table in tables.items():
        folder.write_sample(name, table)
    return folder


def test_samples_of_all_epochs_stand_below_one_another_as_written(tmp_path):
    tables = {epoch: _table(epoch, n=2 + epoch % 3) for epoch in (5, 10, 12_000)}
    _write_samples(tmp_path, SGLS, {f"margins-{e:04d}": t for e, t in tables.items()})
    samples = load_samples(tmp_path, "margins")
    twin = pd.concat(
        [
            pd.DataFrame({"epoch": epoch} | table).astype({"epoch": "int32"})
            for epoch, table in tables.items()
        ],
        ignore_index=True,
    )
    assert list(samples) == [*LEADING, "position", "y", "margin", "redrawn"]
    pd.testing.assert_frame_equal(samples[list(twin)], twin)
    assert set(samples["run_id"]) == {SGLS.run_id} and set(samples["seed"]) == {3}


def test_fields_in_which_the_runs_differ_stand_beside_them_as_in_the_logs(tmp_path):
    for spec in (SGLS, PGD):
        _write_samples(tmp_path, spec, {"margins-0001": _table(0)})
        (tmp_path / spec.run_id / "epochs.jsonl").write_text(
            '{"epoch": 1, "split": "test", "metric": "loss", "value": 1}\n' * 3
        )
    samples, logs = load_samples(tmp_path, "margins"), load_logs(tmp_path)
    differing = ["epochs", "drops", "blocks"]
    differing += ["method_params.attack_labels", "method_params.start"]
    assert set(samples) == {*LEADING, *differing, *_table(0)}
    columns = ["run_id", "method", "seed", *differing]
    pd.testing.assert_frame_equal(samples[columns], logs[columns])


def test_seeds_of_one_setting_have_no_further_columns(tmp_path):
    for seed in range(2):
        _write_samples(tmp_path, PGD.replace(seed=seed), {"margins-0001": _table(seed)})
    samples = load_samples(tmp_path, "margins")
    assert list(samples) == [*LEADING, *_table(0)]
    assert str(samples["seed"].dtype) == "int32"
    for seed, rows in samples.groupby("seed"):
        assert rows["margin"].tolist() == _table(seed)["margin"].tolist()


def test_other_diagnostics_and_files_are_not_taken(tmp_path):
    tables = {"a-0001": _table(0), "a-b-0001": _table(1), "labels": _table(2)}
    folder = _write_samples(tmp_path, PGD, tables | {"ba-0001": _table(3)})
    (folder.samples / "a-0002.parquet.tmp").write_text("half")
    assert load_samples(tmp_path, "a")["y"].tolist() == _table(0)["y"].tolist()
    assert load_samples(tmp_path, "a-b")["y"].tolist() == _table(1)["y"].tolist()


def test_only_the_named_runs_are_read_in_the_order_named(tmp_path):
    specs = [PGD.replace(seed=seed) for seed in range(3)]
    for spec in specs:
        _write_samples(tmp_path, spec, {"margins-0001": _table(0)})
    samples = load_samples(str(tmp_path), "margins", [specs[2].run_id, specs[0].run_id])
    assert samples["seed"].tolist() == [2, 2, 2, 0, 0, 0]


def test_column_that_one_measurement_lacks_is_empty_there(tmp_path):
    less = {"y": np.arange(3)}
    _write_samples(tmp_path, PGD, {"margins-0001": _table(0), "margins-0002": less})
    counts = load_samples(tmp_path, "margins").groupby("epoch")["margin"].count()
    assert counts.to_dict() == {1: 3, 2: 0}


def test_texts_are_categories(tmp_path):
    _write_samples(tmp_path, PGD, {"kinds-0001": {"kind": ["b", "a", "b"]}})
    kind = load_samples(tmp_path, "kinds")["kind"]
    assert kind.tolist() == ["b", "a", "b"] and list(kind.cat.categories) == ["a", "b"]


def test_runs_without_such_samples_are_passed_over_unless_named(tmp_path):
    _write_samples(tmp_path, PGD, {"margins-0001": _table(0)})
    _write_samples(tmp_path, SGLS, {"others-0001": _table(0)})
    assert set(load_samples(tmp_path, "margins")["run_id"]) == {PGD.run_id}
    with pytest.raises(UserError, match="unknown diagnostic with samples 'margins'"):
        load_samples(tmp_path, "margins", [PGD.run_id, SGLS.run_id])


def test_unknown_diagnostic_is_a_user_error_that_lists_what_there_is(tmp_path):
    _write_samples(tmp_path, PGD, {"margins-0001": _table(0), "others-0001": _table(0)})
    with pytest.raises(UserError, match=r"did you mean margins\? .*: margins, others"):
        load_samples(tmp_path, "margin")


def test_store_without_samples_is_a_user_error(tmp_path):
    stored(tmp_path, PGD, [])
    with pytest.raises(UserError, match=f"no samples of a can .* {PGD.run_id}"):
        load_samples(tmp_path, "a")


@pytest.mark.parametrize("fraction", [0.0, 0.4, 0.9], ids=["empty", "torn", "no end"])
def test_file_that_cannot_be_read_is_left_out_and_named(tmp_path, fraction):
    tables = {f"margins-{epoch:04d}": _table(epoch) for epoch in (1, 2, 3)}
    path = _write_samples(tmp_path, PGD, tables).samples / "margins-0002.parquet"
    data = path.read_bytes()
    path.write_bytes(data[: int(fraction * len(data))])
    with pytest.warns(UserWarning, match=f"^{path} is damaged and is left") as record:
        samples = load_samples(tmp_path, "margins")
    assert len(record) == 1 and record[0].filename == __file__
    assert samples["epoch"].tolist() == [1, 1, 1, 3, 3, 3]


def test_file_whose_middle_is_damaged_is_left_out_and_named(tmp_path):
    table = {"margin": np.random.default_rng(0).random(1000)}
    folder = _write_samples(
        tmp_path, PGD, {"margins-0001": table, "margins-0002": table}
    )
    path = folder.samples / "margins-0001.parquet"
    data = bytearray(path.read_bytes())
    data[4:40] = b"\xff" * 36  # the header of the first page
    path.write_bytes(bytes(data))
    with pytest.warns(UserWarning, match=f"^{path} is damaged"):
        assert set(load_samples(tmp_path, "margins")["epoch"]) == {2}


def test_run_whose_every_file_is_unreadable_is_a_user_error_after_the_warning(tmp_path):
    folder = _write_samples(tmp_path, PGD, {"margins-0001": _table(0)})
    (folder.samples / "margins-0001.parquet").write_text("no table")
    with (
        pytest.warns(UserWarning),
        pytest.raises(UserError, match="no samples of margins can be read"),
    ):
        load_samples(tmp_path, "margins")


def test_run_with_an_unreadable_spec_is_left_out_and_named(tmp_path):
    broken = _write_samples(tmp_path, PGD, {"margins-0001": _table(0)}).path
    _write_samples(tmp_path, SGLS, {"margins-0001": _table(0)})
    (broken / "spec.json").write_text("{")
    with pytest.warns(UserWarning, match=f"^{broken} is left out: expected a spec"):
        assert set(load_samples(tmp_path, "margins")["method"]) == {"sgls"}


def test_column_that_also_tells_the_runs_apart_is_a_user_error(tmp_path):
    for norm in ("l2", "linf"):
        _write_samples(
            tmp_path, PGD.replace(norm=norm), {"a-0001": {"norm": np.ones(2)}}
        )
    with pytest.raises(UserError, match="samples of a have a column norm, which also"):
        load_samples(tmp_path, "a")
    (run_id, *_) = (path.name for path in tmp_path.iterdir())
    assert load_samples(tmp_path, "a", [run_id])["norm"].tolist() == [1, 1]
