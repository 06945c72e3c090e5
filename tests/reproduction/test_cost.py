"""Hours and disk of missing runs, by epochs that were measured."""

import pytest
from command_line import rofit
from made_up_logs import course, write_run

from rofit.reproduction.cost import cost
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunStore

SPEC = RunSpec(epochs=10)
ABOUT = {"attack": "pgd20", "measured": "epoch_end", "n": 64, "metric": "accuracy"}


def _measured(root, spec, seconds, device):
    """Write a run of two epochs that took so many seconds each."""
    write_run(root, spec, course([0.5, 0.25], **ABOUT, split="test"))
    folder = RunStore(root).folder(spec.run_id)
    folder.event("start", environment={"device": device})
    folder.event("stop", seconds_an_epoch=seconds)
    (folder.path / "checkpoints").mkdir(exist_ok=True)
    (folder.path / "checkpoints" / "last.pt").write_bytes(b"0" * 10**7)
    return folder


def _missing(seeds):
    return [SPEC.replace(seed=seed, epochs=36) for seed in seeds]


def test_hours_are_epochs_times_seconds_and_disk_is_a_folder_a_run(tmp_path):
    _measured(tmp_path, SPEC, 100.0, "cpu")
    taken = cost(_missing([1, 2]), RunStore(tmp_path), "cpu")
    assert (taken.runs, taken.unknown, taken.devices) == (2, 0, ("cpu",))
    assert taken.hours == pytest.approx(2 * 36 * 100 / 3600)
    assert taken.gigabytes == pytest.approx(2 * 0.01, rel=0.01)
    sentence = "missing: 2 run(s); 2 hours, 0.02 GB, as measured on cpu"
    assert taken.sentence("cpu") == sentence


def test_epochs_that_are_done_are_not_counted_again(tmp_path):
    _measured(tmp_path, SPEC, 100.0, "cpu")
    begun = _measured(tmp_path, _missing([1])[0], 100.0, "cpu")
    (begun.path / "done.json").unlink(missing_ok=True)
    taken = cost(_missing([1]), RunStore(tmp_path), "cpu")
    assert taken.hours == pytest.approx((36 - 2) * 100 / 3600)


def test_this_device_counts_before_another_and_another_is_named(tmp_path):
    _measured(tmp_path, SPEC, 100.0, "a GPU")
    taken = cost(_missing([1]), RunStore(tmp_path), "cpu")
    assert "as measured on a GPU and not on cpu, which this is" in taken.sentence("cpu")
    for seed, device, seconds in ((7, "cpu", 10.0), (8, "a GPU", 200.0)):
        _measured(tmp_path, SPEC.replace(seed=seed), seconds, device)
    taken = cost(_missing([1]), RunStore(tmp_path), "cpu")
    assert taken.hours == pytest.approx(36 * 10 / 3600) and taken.devices == ("cpu",)


def test_what_was_never_measured_is_unknown_and_what_is_done_is_free(tmp_path):
    folder = _measured(tmp_path, SPEC, 100.0, "cpu")
    other = [SPEC.replace(method="trades"), SPEC.replace(width=7)]
    taken = cost(other, RunStore(tmp_path), "cpu")
    assert (taken.runs, taken.unknown, taken.hours) == (2, 2, 0)
    assert taken.sentence("cpu") == (
        "missing: 2 run(s); of 2 no epoch was measured: unknown"
    )
    folder.finish({"epochs": 10})
    assert cost([SPEC], RunStore(tmp_path), "cpu").runs == 0


def test_dry_run_says_it_below_the_table_of_runs(tmp_path):
    words = ["run", "fig1_gradnorm", "--scale", "smoke", "--dry-run"]
    answer = rofit(tmp_path, *words)
    assert answer.out.splitlines()[-1] == (
        "missing: 2 run(s); of 2 no epoch was measured: unknown"
    )
    assert not list(tmp_path.iterdir())
