"""What cannot be done is said in one line on standard error, with exit code 2."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from command_line import Answer, rofit

from rofit.settings.spec import RunSpec

RUN = ("run", "fig1_gradnorm", "--scale", "smoke")
TRAIN = ("train", "--scale", "smoke")


def _is_one_sentence(answer: Answer, sentence: str) -> None:
    assert answer.err.startswith("rofit: ") and answer.err.count("\n") == 1
    assert "Traceback" not in answer.out + answer.err
    assert sentence in answer.err
    assert answer.code == 2


FIG1 = "run fig1_gradnorm"
WRONG = {
    "run fig1_gradnrm": "unknown analysis 'fig1_gradnrm'; did you mean fig1_gradnorm",
    "train --method pgdat": "unknown method 'pgdat'; did you mean pgd_at",
    "train --recipe rice": "unknown recipe 'rice'; did you mean rice2020?",
    "train --dataset cifar": "unknown data set 'cifar'; did you mean cifar10",
    "data mnits": "unknown data set 'mnits'; did you mean mnist",
    "data cifar10": "expected cifar10 under",
    "train --set model=resnet19": "unknown model 'resnet19'; did you mean resnet18",
    "train --device gpu": "unknown device 'gpu'; did you mean cpu? (known: auto",
    f"{FIG1} --scale papers": (
        "unknown scale 'papers'; did you mean paper? (known: cpu, demo, gpu, hour, p"
    ),
    f"{FIG1} --set epoch=3": (
        "unknown field (of a run or of pgd_at) 'epoch'; did you mean epochs"
    ),
    "train --method sgls --set clean_shear=1": (
        "unknown field (of a run or of sgls) 'clean_shear'; did you mean clean_share"
    ),
    f"{FIG1} --set epsilon=8": (
        "epsilon must be in [0, 1] (input units, linf), got 8; did you mean 8/255?"
    ),
    f"{FIG1} --set epochs": "--set expects key=value, got 'epochs'",
    f"{FIG1} --set =3": "--set expects key=value, got '=3'",
    f"{FIG1} --set epochs=x": "epochs must be a whole number, got 'x'",
    f"{FIG1} --set lr=1/0": "lr must be a number or a fraction (8/255), got '1/0'",
    f"{FIG1} --set method=sgls": "fig1_gradnorm varies method itself; leave it out",
    f"{FIG1} --set seed=3": "fig1_gradnorm varies seed itself; use --seeds",
    "train --set flip=yes": "flip must be true or false, got 'yes'",
    "train --set lr=nan": "lr must be finite, got nan",
    "train --set epochs=0": "epochs must be at least 1 and at most 1,000,000, got 0",
    "train --set attack_bn=evil": "unknown attack_bn 'evil'; did you mean eval?",
    "train --set train_size=9000": "must fit into the 1,297 training images of digits",
    "train --set train_size=129": "129 training images in batches of 64 leave a last",
    "reproduce --figure 99": "no analysis for figure 99 yet; there are: fig1_gradnorm",
    "reproduce --table 99": "no analysis for table 99 yet; there are: fig1_gradnorm",
    "reproduce": "name what to reproduce: --figure N, --table N or --all",
    "show nope": "no single run 'nope' in",
    f"{FIG1} --redraw": "run without --redraw first",
}


@pytest.mark.parametrize("command", WRONG)
def test_wrong_input_is_answered_with_one_sentence(tmp_path, command):
    first, *rest = command.split()
    scale = () if first in ("data", "show") else ("--scale", "smoke")
    answer = rofit(tmp_path, first, *scale, *rest)
    _is_one_sentence(answer, WRONG[command])
    assert list(tmp_path.iterdir()) == [], "nothing is made before all is understood"


@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_cuda_where_there_is_none_is_refused_and_not_replaced(
    tmp_path, monkeypatch, name
):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    answer = rofit(tmp_path, *TRAIN, "--device", name)
    _is_one_sentence(answer, f"device {name} is not here: torch sees 0 CUDA devices")


@pytest.mark.parametrize("name", ["cuda:x", "cuda:-1", "cpu:x"])
def test_device_with_a_number_that_is_none_is_refused(tmp_path, name):
    _is_one_sentence(rofit(tmp_path, *TRAIN, "--device", name), name)


@pytest.mark.parametrize(
    "words",
    [
        ["frobnicate"],
        ["run"],
        [*RUN, "--sclae", "demo"],
        [*RUN, "--seeds", "0"],
        [*RUN, "--seeds", "two"],
        [*RUN, "--max-minutes", "-1"],
        ["reproduce", "--figure", "one"],
    ],
    ids=" ".join,
)
def test_usage_that_click_refuses_is_one_sentence_too(tmp_path, words):
    _is_one_sentence(rofit(tmp_path, *words), "")


SPECS = {
    "missing": (None, "expected a spec.json at"),
    "text": (b"method: sgls", "expected a spec.json at"),
    "field": (b'{"epoch": 3}', "unknown field of a run 'epoch'; did you mean epochs"),
    "type": (b'{"epochs": "3"}', "epochs must be int, got '3'"),
    "null": (b'{"epsilon": null}', "epsilon must be float, got None"),
    "range": (
        b'{"epochs": 0}',
        "epochs must be at least 1 and at most 1,000,000, got 0",
    ),
    "threat": (b'{"epsilon": 8}', "did you mean 8/255?"),
    "list": (b'{"drops": 0.5}', "drops must be a tuple, got 0.5"),
    "parameter": (b'{"method_params": {"a": 1}}', "unknown parameter of pgd_at 'a'"),
    "list of all": (b"[1]", "expected a spec.json at"),
    "no object of parameters": (b'{"method_params": 3}', "method_params"),
    "no text": (b"\xff\xfe\x00", "expected a spec.json at"),
}


@pytest.mark.parametrize("case", SPECS)
def test_bad_spec_file_is_one_sentence(tmp_path, case):
    data, sentence = SPECS[case]
    file = tmp_path / "spec.json"
    if data is not None:
        file.write_bytes(data)
    _is_one_sentence(rofit(tmp_path, "train", "--spec", file), sentence)


def test_store_that_is_a_file_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    answer = rofit(tmp_path, *TRAIN, "--store", tmp_path / "file")
    _is_one_sentence(answer, "cannot be written (Not a directory); choose another with")


@pytest.mark.parametrize(
    ("number", "code", "advice"),
    [(errno.EROFS, 2, "choose another with --store\n"), (errno.ENOSPC, 1, "device)")],
)
def test_store_that_cannot_be_written_is_one_sentence(
    tmp_path, monkeypatch, number, code, advice
):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(Path, "mkdir", refuse)
    answer = rofit(tmp_path, *TRAIN)
    assert answer.code == code and answer.err.count("\n") == 1
    assert answer.err.startswith("rofit: the store ") and advice in answer.err


def test_results_that_cannot_be_written_are_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    words = (*RUN, "--quiet", "--set", "epochs=1", "--out", tmp_path / "file")
    _is_one_sentence(rofit(tmp_path, *words), "choose another with --out")


def test_run_that_another_spec_holds_is_left_alone(tmp_path):
    (row,) = json.loads(rofit(tmp_path, *TRAIN, "--dry-run", "--json").out)["runs"]
    folder = tmp_path / "runs" / row["run"]
    folder.mkdir(parents=True)
    other = json.dumps(RunSpec().as_dict())
    (folder / "spec.json").write_text(other)
    _is_one_sentence(rofit(tmp_path, *TRAIN), "move that folder away")
    assert (folder / "spec.json").read_text() == other


def test_command_itself_ends_with_code_2_and_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "rofit", "run", "nope", "--scale", "smoke"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    _is_one_sentence(Answer(done.returncode, done.stdout, done.stderr), "'nope'")
