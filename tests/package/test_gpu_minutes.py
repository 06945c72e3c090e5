""".ci/gpu, rehearsed on the CPU: stages, what comes back, and a failure among them."""

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import gpu_equals_cpu
import pandas as pd
import pytest

from rofit import load_logs
from rofit.settings.scales import SCALES

SCRIPT = Path(__file__).parents[2] / ".ci" / "gpu"
TIMED = ("parity", "speed", "profile")
LEFT_OUT = ("methods", "tests", *TIMED)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Where the script has run, with one method that there is and one that is not."""
    home = tmp_path_factory.mktemp("gpu")
    left_out = {f"T_{name.upper()}": "0" for name in LEFT_OUT}
    words = {"DEVICE": "cpu", "SCALE": "smoke", "METHODS": "nonsense pgd_at"}
    words |= {"OUT": str(home / "out"), "WORK": str(home / "work"), "DATA": ""}
    words |= {"PY": sys.executable, "MINUTES": "9", "MORE": "--set epochs=1"}
    env = os.environ | words | left_out
    subprocess.run([SCRIPT], env=env, check=True, capture_output=True, timeout=300)
    return home


@pytest.fixture
def summary(home):
    return (home / "out" / "summary.txt").read_text()


def test_every_stage_has_its_code_and_a_failure_stops_no_other(summary):
    stages = re.findall(r"^\[\d+ s\] (\S+): (code \d+|left out)", summary, re.M)
    expected = [("machine", "code 0")]
    expected += [(name, "left out") for name in LEFT_OUT]
    expected += [("train-nonsense", "code 2"), ("train-pgd_at", "code 0")]
    expected += [("export", "code 0")]
    assert sorted(stages) == sorted(expected)  # some go on side by side
    assert summary.splitlines()[-1].endswith("end, of 540 s")


def test_runs_that_come_back_are_a_store_without_checkpoints(home, summary):
    with tarfile.open(home / "out" / "runs.tar.gz") as archive:
        assert not [name for name in archive.getnames() if name.endswith(".pt")]
        archive.extractall(home / "back", filter="data")
    logs = load_logs(home / "back")
    assert set(logs["method"]) == {"pgd_at"} and set(logs["epoch"]) == {1}
    assert logs["train_size"].eq(SCALES["smoke"].changes["train_size"]).all()
    assert list((home / "work" / "runs").rglob("last.pt"))
    assert logs["run_id"].iloc[0] in summary


def test_what_comes_back_is_few_files_and_says_why_a_stage_failed(home):
    files = sorted(path.name for path in (home / "out").iterdir())
    assert files == ["logs.tar.gz", "runs.tar.gz", "summary.txt"]
    with tarfile.open(home / "out" / "logs.tar.gz") as archive:
        why = archive.extractfile("logs/train-nonsense.err").read().decode()
        machine = archive.extractfile("logs/machine.out").read().decode()
    assert "unknown method 'nonsense'" in why
    assert "'torch': " in machine and "'cudnn': " in machine


def test_table_names_the_stages_that_the_bench_has():
    text = SCRIPT.read_text()
    assert tuple(re.findall(r"^bench (\w+)", text, re.M)) == TIMED


def logs(*values):
    """Return a log of one metric in as many epochs, and one number of another."""
    rows = [{"epoch": e, "metric": "loss", "value": v} for e, v in enumerate(values, 1)]
    rows.append({"epoch": 1, "metric": "accuracy", "value": 0.5})
    return pd.DataFrame(rows).assign(run_id="a-1", family_id="a-1")[
        ["run_id", "epoch", "metric", "value", "family_id"]
    ]


def test_devices_are_compared_metric_by_metric():
    accuracy, loss = gpu_equals_cpu.compared(logs(2.0, 3.0), logs(2.0, 4.0))
    assert accuracy["metric"] == "accuracy" and accuracy["all epochs, median"] == 0
    assert loss == {
        "metric": "loss",
        "methods": 1,
        "numbers": 2,
        "first epoch, median": 0,
        "first epoch, largest": 0,
        "all epochs, median": 0.12,  # of 0 and 1/4, in two digits
    }


def test_number_that_one_device_alone_has_is_named():
    with pytest.raises(ValueError, match="one device alone has .*'epoch': 2"):
        list(gpu_equals_cpu.compared(logs(2.0), logs(2.0, 3.0)))
