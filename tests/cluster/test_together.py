"""A job's processes train one run together: as one does, and what ends them."""

import os
import signal
import subprocess
import threading
import time
from dataclasses import replace

import pytest
from small_jobs import QUIET, SHORT, SPEC, events, job
from training_helpers import as_vector, last_state

from rofit.cluster import slurm
from rofit.cluster.settings import SlurmSettings
from rofit.cluster.tasks import training_tasks
from rofit.cluster.together import TrainingTogether
from rofit.running.jobs import Died
from rofit.store.runs import read_events
from rofit.training.stop import Stop

LONG = SPEC.replace(epochs=400)


def _processes():
    """Return the ids of this process's children that train together."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    return [int(li.split()[0]) for li in listed if "rofit.cluster.together" in li]


def _after_an_epoch(folder, act):
    """Call *act* in a thread once the run has an epoch."""

    def wait():
        while folder.state != "partial":
            time.sleep(0.05)
        act()

    threading.Thread(target=wait, daemon=True).start()


def _work(work, **options):
    with Stop(**options) as stop:
        return work.work(stop, QUIET, alone=False)


def test_run_is_that_of_one_process_but_for_rounding(tmp_path):
    alone, together = (job(SHORT, tmp_path / name) for name in ("alone", "together"))
    assert alone.work(Stop(), QUIET, alone=False)
    assert _work(TrainingTogether(together, 2))
    states = [last_state(j.folder)["model"] for j in (alone, together)]
    one, other = map(as_vector, states)
    assert (one - other).abs().max() < 1e-3
    start, _ = read_events(together.folder.path)
    assert start["environment"]["ranks"] == 2


def test_signals_of_schedulers_end_nothing_and_a_stop_ends_all_after_a_step(tmp_path):
    training = job(LONG, tmp_path)
    requested = threading.Event()

    def signals():
        for process in _processes():
            os.kill(process, signal.SIGUSR1)
        requested.set()

    _after_an_epoch(training.folder, signals)
    assert not _work(TrainingTogether(training, 2), requested=requested.is_set)
    assert events(training.folder) == ["start", "stop"]


def test_process_that_dies_is_an_error_that_names_the_run(tmp_path):
    training = job(LONG, tmp_path)
    _after_an_epoch(training.folder, lambda: os.kill(_processes()[-1], signal.SIGKILL))
    with pytest.raises(
        Died, match=rf"a process of {training.name} was ended by sig.* 9"
    ):
        _work(TrainingTogether(training, 2))
    assert training.folder.state == "partial"


def test_what_a_process_says_is_the_last_line_and_the_exit_code(tmp_path, capfd):
    training = job(SPEC.replace(method="fgsm_pgi"), tmp_path)
    with pytest.raises(SystemExit) as ended:
        _work(TrainingTogether(training, 2))
    assert ended.value.code == 2
    sentence = "rofit: several processes cannot train one run of fgsm_pgi"
    assert capfd.readouterr().err.splitlines()[-1].startswith(sentence)


@pytest.mark.parametrize(
    ("gres", "device", "expected"),
    [
        ("", "auto", {"gres": "gpu:4"}),
        ("gpu:1", "cuda", {"gres": "gpu:4"}),
        ("gpu:a100:1", "auto", {"gres": "gpu:a100:4"}),
        ("gpu:1", "cpu", {}),
        ("shard:2", "auto", {}),
    ],
)
def test_jobs_of_trainings_have_so_many_gpus(tmp_path, gres, device, expected):
    training = replace(job(SHORT, tmp_path), device=device)
    assert slurm._gpus(training_tasks([training], 4), gres) == expected
    assert slurm._gpus(training_tasks([training], 1), gres) == {}
    assert "gpus" not in SlurmSettings(gpus=4, gres=gres).sbatch()
