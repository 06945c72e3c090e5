"""What the flags of a cluster refuse, on a machine without one."""

import importlib.util

import pytest
from command_line import is_one_sentence, rofit

TRAIN = ["train", "--scale", "smoke"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--wait"], "--wait is for jobs of a cluster: add --on slurm"),
        (["--gres", "gpu:1"], "--gres is for jobs of a cluster: add --on slurm"),
        (["--setup", "a"], "--setup is for jobs of a cluster: add --on slurm"),
        (["--on", "moon"], "'moon' is not 'slurm'"),
        (["--on", "slurm", "--jobs", "2"], "--array-parallelism limits jobs"),
        (["--on", "slurm", "--max-minutes", "2"], "--time limits a job"),
        (["--on", "slurm", "--time", "soon"], "--time expects minutes, H:M:S or D-H"),
    ],
)
def test_flags_that_cannot_be_used_are_one_sentence(tmp_path, words, sentence):
    is_one_sentence(rofit(tmp_path, *TRAIN, *words), sentence)
    assert not list(tmp_path.iterdir())


def test_machine_without_slurm_is_one_sentence(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = rofit(tmp_path, *TRAIN, "--on", "slurm")
    is_one_sentence(answer, "there is no sbatch on PATH: --on slurm is for a machine")


def test_environment_without_submitit_is_one_sentence(tmp_path, monkeypatch):
    spec = importlib.util.find_spec
    monkeypatch.setattr(
        "rofit.cluster.slurm.find_spec",
        lambda name: None if name == "submitit" else spec(name),
    )
    answer = rofit(tmp_path, *TRAIN, "--on", "slurm")
    is_one_sentence(answer, "submitit, which is not installed: pip install 'rofit[sl")
