"""Nothing that was asked for is dropped or replaced without a word."""

import json

import pytest
import torch
from command_line import rofit

from rofit.commands import inventory
from rofit.running.components import find_device
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunFolder

TRAIN = ("train", "--scale", "smoke")


@pytest.mark.parametrize(("here", "kind"), [(True, "cuda"), (False, "cpu")])
def test_auto_is_the_gpu_where_there_is_one(monkeypatch, here, kind):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: here)
    assert find_device("auto") == torch.device(kind)
    assert find_device("cpu") == torch.device("cpu")


def test_numbered_gpu_is_itself(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert find_device("cuda:1") == torch.device("cuda:1")
    assert find_device("cuda") == torch.device("cuda")


def test_empty_path_is_never_taken_for_another_data_set(tmp_path):
    assert rofit(tmp_path, *TRAIN, "--dry-run", "--data", "").code == 2


def test_time_limit_that_is_not_a_number_is_refused(tmp_path):
    assert rofit(tmp_path, *TRAIN, "--dry-run", "--max-minutes", "nan").code == 2


def test_seed_beside_seeds_is_refused(tmp_path):
    words = (*TRAIN, "--dry-run", "--set", "seed=5", "--seeds", 2)
    assert rofit(tmp_path, *words).code == 2


@pytest.mark.parametrize("epoch", [0, 3])
def test_weights_of_an_epoch_that_never_comes_are_refused(tmp_path, epoch):
    assert rofit(tmp_path, *TRAIN, "--dry-run", "--keep", epoch).code == 2


def test_name_of_a_data_set_is_not_taken_for_a_folder_beside_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert rofit(tmp_path, "data", "digits").code == 0


def test_done_run_that_lacks_a_diagnostic_is_named_in_one_sentence(tmp_path):
    words = ("run", "fig1_gradnorm", "--scale", "smoke", "--set", "epochs=1", "--quiet")
    assert rofit(tmp_path, *words).code == 0
    for events in tmp_path.glob("runs/*/events.jsonl"):  # as an older rofit left them
        events.write_text(events.read_text().replace('"gradient_norm", ', ""))
    answer = rofit(tmp_path, *words)
    assert answer.code == 2 and answer.err.count("\n") == 1
    assert "was trained without gradient_norm; rofit train --spec" in answer.err


def test_diagnostic_that_was_asked_for_and_cannot_be_is_named_before_training(
    tmp_path,
):
    words = (*TRAIN, "--set", "label_noise=0", "--watch", "memorisation", "--quiet")
    answer = rofit(tmp_path, *words)
    assert (answer.code, answer.out.count("\n")) == (2, 1)  # the scale
    assert (
        "memorisation cannot be measured: no training label was redrawn" in answer.err
    )
    assert "--set label_noise=0.4" in answer.err
    assert not list(tmp_path.glob("runs/*/epochs.jsonl"))


def test_train_is_content_with_a_done_run_that_fewer_diagnostics_watched(
    tmp_path, monkeypatch
):
    words = (*TRAIN, "--set", "epochs=1", "--quiet")
    with monkeypatch.context() as older:
        older.setattr(inventory, "diagnostics", lambda *_: ())
        assert rofit(tmp_path, *words).code == 0
    assert rofit(tmp_path, *words).code == 0


def test_run_of_the_default_spec_is_not_shown_as_nothing(tmp_path):
    run = RunFolder(tmp_path / "runs" / "pgd_at-x-1")
    with run.opened(RunSpec().as_dict()):
        pass
    assert "nothing yet" not in rofit(tmp_path, "show", "x-1").out


def test_field_that_cannot_be_set_is_not_proposed(tmp_path):
    answer = rofit(tmp_path, *TRAIN, "--set", "method_params=3")
    assert answer.code == 2 and "did you mean method_params" not in answer.err


def test_run_that_is_unfinished_prints_no_result(tmp_path):
    words = ("run", "fig1_gradnorm", "--scale", "smoke", "--quiet", "--json")
    answer = rofit(tmp_path, *words, "--max-minutes", 0)
    assert answer.code == 75
    assert not (tmp_path / "results").exists()
    rows = json.loads(rofit(tmp_path, *words, "--dry-run").out)["runs"]
    assert [row["state"] for row in rows] == ["partial", "missing"]
