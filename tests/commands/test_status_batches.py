"""`rofit status` reads many runs at a time, and says of each what it would alone."""

import warnings

import pytest
from made_up_logs import course, write_run

from rofit.commands import inventory
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunStore

SPECS = [RunSpec(epochs=2 + seed, seed=seed, val_size=seed % 2) for seed in range(5)]


@pytest.fixture
def store(tmp_path):
    """Five runs: of different lengths, one with diagnostics, one without accuracies."""
    for spec in SPECS:
        accuracy = {"attack": "pgd20", "measured": "epoch_end", "n": 64}
        accuracy |= {"metric": "accuracy"}
        values = [(7 * (spec.seed + epoch) % 10) / 10 for epoch in range(spec.epochs)]
        rows = course(values, split="test", **accuracy)
        if spec.val_size:
            rows += course(reversed(values), split="val", **accuracy)
        if spec.seed == 2:
            rows += course(values, split="train", metric="norm", portion="all")
        if spec.seed == 3:
            rows = course(values, split="train", **accuracy)
        write_run(tmp_path, spec, rows)
    return RunStore(tmp_path)


def test_rows_of_many_runs_are_those_of_each_alone(store, monkeypatch):
    monkeypatch.setattr(inventory, "_AT_ONCE", 2)
    missing = RunSpec(seed=9)
    pairs = [(store.folder(spec.run_id), spec) for spec in (*SPECS, missing)]
    rows = inventory.run_rows(pairs)
    assert rows == [inventory.run_row(*pair) for pair in pairs]
    assert [row["last"] for row in rows] == [70.0, 10.0, 50.0, None, 30.0, None]
    assert [row["epochs"] for row in rows] == "2/2 3/3 4/4 5/5 6/6 0/200".split()


def test_logs_are_read_many_at_a_time(store, monkeypatch):
    calls = []
    read = inventory.load_logs

    def counted(root, ids, **options):
        calls.append(len(ids))
        return read(root, ids, **options)

    monkeypatch.setattr(inventory, "load_logs", counted)
    inventory.run_rows([(store.folder(spec.run_id), spec) for spec in SPECS])
    assert calls == [5]


def test_run_that_cannot_be_read_is_left_out_and_no_other(store):
    broken = store.folder(SPECS[1].run_id)
    (broken.path / "spec.json").write_text("{")
    unlike = store.folder(SPECS[4].run_id)
    (unlike.path / "digests.jsonl").unlink()
    log = unlike.path / "epochs.jsonl"
    log.write_text(log.read_text().replace('"n"', '"lr"'))  # a field of the run
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always")
        rows = inventory._readable_rows(store.runs())
    kept = {SPECS[n].run_id for n in (0, 2, 3)}
    assert {row["run"] for row in rows} == kept and len(rows) == 3
    texts = [str(remark.message) for remark in remarks]
    for folder in (broken, unlike):
        assert sum(t.startswith(f"{folder.path} is left out: ") for t in texts) == 1
