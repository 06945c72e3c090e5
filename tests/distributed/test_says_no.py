"""What several processes cannot train together is said in one sentence."""

import pytest
import torch
from command_line import is_one_sentence, rofit

from rofit.distributed.ranks import ALONE, Ranks
from rofit.errors import UserError
from rofit.methods import METHODS
from rofit.running.beside import own_gpu, require_splittable
from rofit.running.train import train
from rofit.settings.method_files import VARIABLE
from rofit.settings.spec import RunSpec
from rofit.training.engine import find_engine

TWO = Ranks(1, 2, 1)
COUPLED = [name for name, module in METHODS.items() if hasattr(module, "COUPLES")]


@pytest.mark.parametrize("name", COUPLED)
def test_method_that_couples_a_batch_is_refused(name):
    spec = RunSpec(method=name)
    with pytest.raises(UserError, match=f"one run of {name}: .* is of a whole batch"):
        require_splittable(spec, 1280, TWO)
    require_splittable(spec, 1280, ALONE)


def test_method_of_ones_own_must_say_that_it_couples_nothing(tmp_path, monkeypatch):
    """The variable names files of methods that are rofit's, and do not say it."""
    spec = RunSpec(method="trades", weights_from=("awp",))
    require_splittable(spec, 1280, TWO)
    for name in ("trades", "awp"):
        monkeypatch.setenv(VARIABLE, str(tmp_path / f"{name}.py"))
        with pytest.raises(UserError, match=f'of {name} are .*COUPLES = "" into '):
            require_splittable(spec, 1280, TWO)
        require_splittable(spec, 1280, ALONE)
        monkeypatch.setattr(METHODS[name], "COUPLES", "", raising=False)
        require_splittable(spec, 1280, TWO)


def test_batch_of_fewer_images_than_ranks_is_refused():
    spec, four = RunSpec(batch_size=10), Ranks(0, 4)
    with pytest.raises(UserError, match="23 .* leave a batch of 3, too few for 4"):
        require_splittable(spec, 23, four)
    require_splittable(spec, 24, four)
    require_splittable(spec, 30, four)
    with pytest.raises(UserError, match="leave a batch of 2, too few"):
        require_splittable(RunSpec(batch_size=2), 30, four)


def test_one_gpu_for_several_ranks_is_refused():
    with pytest.raises(UserError, match="give --device cuda, not cuda:0"):
        own_gpu("cuda:0", TWO)
    assert own_gpu("cuda:0", ALONE) == "cuda:0"
    assert (own_gpu("cuda", TWO), own_gpu("cpu", TWO)) == ("cuda:1", "cpu")


def test_compiled_engine_is_refused_and_auto_says_why_not():
    device = torch.device("cpu")
    with pytest.raises(UserError, match="cannot compile: 2 processes train one run"):
        find_engine("compiled", RunSpec(), device, ranks=2)
    engine, remark = find_engine("auto", RunSpec(), device, ranks=2)
    assert (engine, remark) == ("eager", "not compiled: 2 processes train one run")


@pytest.mark.parametrize("options", [{"jobs": 2}, {"devices": ["cpu"]}])
def test_jobs_beside_each_other_are_refused(options, monkeypatch):
    """Before anything is exchanged."""
    _launch(monkeypatch)
    with pytest.raises(UserError, match="one by one: leave --jobs and --devices"):
        train(RunSpec(), **options)


@pytest.mark.parametrize("command", ["status", "sweep", "reproduce", "eval"])
def test_commands_but_train_are_refused(command, tmp_path, monkeypatch):
    assert rofit(tmp_path, command, "--help").code == 0
    _launch(monkeypatch)
    said = f"torchrun is for rofit train; rofit {command} is one process"
    is_one_sentence(rofit(tmp_path, command), said)


def test_jobs_of_a_cluster_are_refused(tmp_path, monkeypatch):
    _launch(monkeypatch)
    answer = rofit(tmp_path, "train", "--scale", "smoke", "--on", "slurm")
    is_one_sentence(answer, "--on slurm begins processes itself (--gpus): leave")


def _launch(monkeypatch):
    """Set what torchrun sets for the first of two processes."""
    for name, value in {"TORCHELASTIC_RUN_ID": "a", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
