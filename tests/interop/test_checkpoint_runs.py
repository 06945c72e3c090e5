"""An imported checkpoint is a run like any other, that says what is not known of it."""

import hashlib
import json
import warnings

import pytest
import torch
from command_line import is_one_sentence, rofit
from imported_files import MEAN, STD, brought_in, same_function
from their_networks import PreActResNet, WideResNet, settled
from training_helpers import digits, digits_net

from rofit import load_logs
from rofit.data.digits import load_digits
from rofit.errors import UserError
from rofit.running.doctor import examine
from rofit.store.runs import RunStore, read_events

DIGITS = ("--dataset", "digits")
QUIET = ("--n", 32, "--attack", "clean,pgd1", "--quiet")


@pytest.fixture
def home(tmp_path):
    """A folder with robust_overfitting's model_best.pth, of the digits."""
    net = settled(PreActResNet(width=4, c=1))
    state = {"state_dict": net.state_dict(), "test_acc": 0.9, "test_robust_acc": 0.5}
    torch.save(state, tmp_path / "model_best.pth")
    return tmp_path


def imported(home, *words):
    """Import the file; return the answer's row."""
    answer = rofit(
        home, "import", "checkpoint", home / "model_best.pth", *words, "--json"
    )
    assert answer.code == 0
    (row,) = json.loads(answer.out)["imported"]
    return row


def test_the_run_is_called_by_layout_data_set_and_file(home):
    row = imported(home, *DIGITS)
    sha256 = hashlib.sha256((home / "model_best.pth").read_bytes()).hexdigest()
    assert row["run"] == f"robust_overfitting-digits-{sha256[:8]}"
    (folder,) = RunStore(home / "runs").runs()
    source = folder.source
    assert (source.kind, source.layout) == ("checkpoint", "robust_overfitting")
    assert (source.file, source.sha256) == ("model_best.pth", sha256)
    assert {"epsilon", "lr", "seed", "epochs"} <= set(source.unknown)
    assert not {"model", "dataset", "normalise", "activation"} & set(source.unknown)
    (event,) = read_events(folder.path)
    assert event["facts"] == {"test_acc": 0.9, "test_robust_acc": 0.5}
    assert [path.name for path in folder.checkpoints.iterdir()] == ["best.pt"]
    assert not (folder.path / "epochs.jsonl").exists()
    assert list(examine(RunStore(home / "runs"))) == []


def test_one_line_says_whose_file_it_was_and_remarks_what_is_odd(home):
    answer = rofit(home, "import", "checkpoint", home / "model_best.pth", *DIGITS)
    line, *rest = answer.out.splitlines()
    assert line.startswith("model_best.pth is of locuslab/robust_overfitting, AWP or")
    assert "state_dict, 109 tensors, preact_resnet18, images normalised with" in line
    assert not rest
    said, *_ = answer.err.splitlines()
    assert "the file says a clean accuracy of 90.0%, and it is " in said


def test_commands_take_it_as_any_run(home):
    run = imported(home, *DIGITS)["run"]
    answer = rofit(home, "eval", run, *QUIET, "--json")
    assert (answer.code, answer.err) == (0, "")
    sections = json.loads(answer.out)
    assert [row["n"] for row in sections[f"{run}, best (epoch 0)"]] == [32, 32]
    shown = json.loads(rofit(home, "show", run, "--json").out)
    assert len(shown["evaluations"]) == 2
    assert shown["run"] | {"changed since": ""} == {
        "run": run,
        "seed": None,
        "state": "done",
        "epochs": None,
        "best": None,
        "last": None,
        "gap": None,
        "changed since": "",
    }
    assert rofit(home, "status").code == 0
    assert rofit(home, "export", run, "--out", home / "copies").code == 0
    logs = load_logs(home / "copies")
    assert set(logs["measured"]) == {"evaluation"} and logs["epsilon"].isna().all()
    assert set(logs["source"]) == {"robust_overfitting: model_best.pth"}
    assert list(examine(RunStore(home / "runs"))) == []


def test_eval_imports_a_foreign_file_and_takes_the_same_flags(home):
    words = ("eval", home / "model_best.pth", *DIGITS, *QUIET, "--json")
    by_file = rofit(home, *words, "--name", "theirs")
    assert by_file.code == 0
    (run,) = (folder.path.name for folder in RunStore(home / "runs").runs())
    assert run.startswith("theirs-digits-")
    assert json.loads(rofit(home, "eval", run, *QUIET, "--json").out) == json.loads(
        by_file.out
    )
    own = home / "runs" / run / "checkpoints" / "best.pt"
    assert rofit(home, "eval", own, *QUIET, "--json").out == by_file.out
    for target in (own, run):
        answer = rofit(home, "eval", target, "--normalise", "inside", *QUIET)
        is_one_sentence(answer, "--normalise is for checkpoint files of other programs")


def test_second_import_changes_nothing_and_other_choices_are_refused(home):
    run = imported(home, *DIGITS)["run"]
    file = home / "runs" / run / "checkpoints" / "best.pt"
    before = file.read_bytes(), file.stat().st_mtime_ns
    assert imported(home, *DIGITS)["run"] == run
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    words = ("import", "checkpoint", home / "model_best.pth", *DIGITS)
    answer = rofit(home, *words, "--normalise", "inside")
    assert answer.code == 2 and "is not the spec of run" in answer.err
    answer = rofit(home, *words, "--normalise", "0.1/0.9")
    assert answer.code == 2 and "holds other weights of model_best.pth" in answer.err
    assert (
        imported(home, *DIGITS, "--normalise", "inside", "--name", "raw")["run"] != run
    )


def test_checkpoint_is_called_last_unless_its_name_says_best(home, toys):
    net = settled(WideResNet(10, 1))
    run, checkpoint = brought_in(home / "model_80.pth", net.state_dict())
    assert run.file.name == "last.pt" and checkpoint.name == "last"
    run, _ = brought_in(home / "2.pth", {"best": net.state_dict()})
    assert run.file.name == "best.pt"


def test_untrained_network_of_a_certain_layout_keeps_its_own_normaliser(home, toys):
    """Chance says nothing: what a layout does decides, and not the luck of a draw."""
    net = settled(PreActResNet(width=4), seed=2)
    state = {"state_dict": net.state_dict(), "test_robust_acc": 0.5}
    _, checkpoint = brought_in(home / "model_best.pth", state)
    same_function(checkpoint, net, MEAN, STD)


def test_digest_of_a_flag_is_no_part_of_the_name(home, toys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run, _ = brought_in(home / "a.pth", settled(WideResNet(10, 1)).state_dict())
    assert run.folder.path.name.startswith("state_dict-cifar10-")
    with pytest.raises(UserError, match=r"must be a name .* without /"):
        brought_in(home / "a.pth", home / "a.pth", name="../a")


@pytest.fixture(scope="module")
def learnt():
    """A network with locuslab's names that knows the digits, normalised outside."""
    data = load_digits()
    mean, std = data.statistics()
    ours = digits_net("preact_small", steps=60, mean=mean, std=std)
    theirs = PreActResNet(width=32, blocks=(1, 1, 1), c=1)
    own = {k: v for k, v in ours.state_dict().items() if "normalise" not in k}
    theirs.load_state_dict(dict(zip(theirs.state_dict(), own.values(), strict=True)))
    x, y = (tensor[:512] for tensor in digits("test"))
    with torch.no_grad():
        accuracy = (ours.eval()(x).argmax(1) == y).float().mean().item()
    assert accuracy > 0.7
    return theirs, accuracy


def test_network_that_has_learnt_is_as_accurate_as_before(learnt, tmp_path):
    net, accuracy = learnt
    state = {"state_dict": net.state_dict(), "test_acc": accuracy}
    torch.save(state | {"test_robust_acc": 0.1}, tmp_path / "model_best.pth")
    answer = rofit(
        tmp_path, "import", "checkpoint", tmp_path / "model_best.pth", *DIGITS
    )
    assert (answer.code, answer.err) == (0, "")
    assert (
        f"clean accuracy {round(100 * accuracy, 2)} % on 500 test images" in answer.out
    )


def test_normaliser_that_a_layout_is_wrong_about_is_tried_and_taken(learnt, tmp_path):
    net, accuracy = learnt
    state = {"state_dict": net.state_dict(), "test_acc": accuracy, "best_prec1": 52.0}
    torch.save(state, tmp_path / "model_best.pth")
    row = imported(tmp_path, *DIGITS)
    assert row["layout"] == "SAT or SGLS" and row["normalise"] == "0.3058/0.3762"
    assert row["accuracy %"] == round(100 * accuracy, 2)
    (remark,) = row["remarks"]
    assert remark.startswith("normalisers were tried: ")
    kept = imported(tmp_path, *DIGITS, "--normalise", "inside", "--name", "kept")
    assert kept["normalise"] == "inside" and kept["accuracy %"] < row["accuracy %"] - 10
    assert len(kept["remarks"]) == 3
