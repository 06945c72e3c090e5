"""Which evaluations an analysis lacks, by what lies in the runs' folders alone."""

import json
import shutil
from pathlib import Path

import pytest
from evaluated_runs import SPEC
from rich.console import Console
from training_helpers import train

from rofit.running.evaluation_jobs import evaluation_jobs
from rofit.store.runs import RunStore
from rofit.training.stop import Stop

SPECS = [SPEC.replace(seed=seed, train_size=128, test_size=16) for seed in range(2)]
ATTACKS = ("clean", "fgsm", "transfer")
NOWHERE = {"longest": 1000, "data": Path("nowhere"), "device": "cpu", "quiet": True}


def _jobs(root, attacks=ATTACKS, specs=SPECS):
    """Return the runs whose evaluations are lacking, and the jobs."""
    store = RunStore(root / "runs")
    jobs = evaluation_jobs(specs, store, attacks, engine="eager", **NOWHERE)
    return [job.folder.spec.seed for job in jobs], jobs


def _work(jobs):
    for job in jobs:
        assert job.work(Stop(), Console(quiet=True), alone=True)


@pytest.fixture(scope="module")
def _evaluated(tmp_path_factory):
    """Two runs, all of whose evaluations are made."""
    root = tmp_path_factory.mktemp("evaluated")
    for spec in SPECS:
        train(spec, root)
    seeds, jobs = _jobs(root)
    assert seeds == [0, 1]
    _work(jobs)
    return root


@pytest.fixture
def root(_evaluated, tmp_path):
    """A copy of them."""
    return shutil.copytree(_evaluated, tmp_path / "copy")


def _folder(root, seed):
    return root / "runs" / SPECS[seed].run_id


def test_nothing_is_lacking_where_data_and_checkpoints_are_gone(root):
    for seed in range(2):
        shutil.rmtree(_folder(root, seed) / "checkpoints")
    assert _jobs(root)[0] == []
    assert _jobs(root, ("clean", "fgsm"), SPECS[:1])[0] == []


def test_another_attack_is_lacking(root):
    assert _jobs(root, (*ATTACKS, "pgd2"))[0] == [0, 1]


def _change(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _without_a_result(folder):
    next(folder.glob("evaluations/last-fgsm-*/result.json")).unlink()


def _without_checks(folder):
    next(folder.glob("evaluations/best-checks-*")).unlink()


def _without_best(folder):
    for path in folder.glob("evaluations/best-[!c]*"):
        shutil.rmtree(path)


def _of_a_later_epoch(folder):
    _change(folder / "done.json", epochs=3)


def _of_two_networks(folder):
    _change(next(folder.glob("evaluations/last-none-*/result.json")), network="0" * 16)


def _of_other_images(folder):
    file = folder / "epochs.jsonl"
    file.write_text(file.read_text().replace('"n": 16', '"n": 15'))


def _not_ended(folder):
    (folder / "done.json").unlink()


SPOILED = {
    "a result is gone": _without_a_result,
    "checks are gone": _without_checks,
    "a checkpoint was not evaluated": _without_best,
    "the run went on": _of_a_later_epoch,
    "results are of two networks": _of_two_networks,
    "results are of fewer images": _of_other_images,
    "the run has not ended": _not_ended,
}


@pytest.mark.filterwarnings("ignore:.* is damaged and is left out")
@pytest.mark.parametrize("why", SPOILED)
def test_what_is_spoiled_is_lacking(root, why):
    SPOILED[why](_folder(root, 0))
    assert 0 in _jobs(root)[0]


@pytest.mark.parametrize("why", ["a result is gone", "checks are gone"])
def test_what_is_lacking_is_made_as_it_was(root, _evaluated, why):
    SPOILED[why](_folder(root, 0))
    _work(_jobs(root)[1])
    assert _jobs(root)[0] == []
    for path in _folder(_evaluated, 0).glob("evaluations/*/samples.parquet"):
        again = root / path.relative_to(_evaluated)
        assert again.read_bytes() == path.read_bytes()


def test_transfer_is_lacking_where_the_other_network_is_not_known(root):
    for path in _folder(root, 1).glob("evaluations/*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert _jobs(root)[0] == [0, 1]
    assert _jobs(root, ("clean", "fgsm"))[0] == [1]
