""".ci/gpu, rehearsed on the CPU: stages, what comes back, and a failure among them."""

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from rofit import load_logs
from rofit.settings.scales import SCALES

SCRIPT = Path(__file__).parents[2] / ".ci" / "gpu"
TIMED = ("parity", "speed", "profile")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Where the script has run, with one method that there is and one that is not."""
    home = tmp_path_factory.mktemp("gpu")
    left_out = {f"T_{name.upper()}": "0" for name in ("tests", *TIMED)}
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
    expected += [(name, "left out") for name in ("tests", *TIMED)]
    expected += [("train-nonsense", "code 2"), ("train-pgd_at", "code 0")]
    assert stages == [*expected, ("export", "code 0")]
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
