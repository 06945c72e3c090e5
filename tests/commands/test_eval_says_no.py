"""What `rofit eval` cannot do is one sentence, with exit code 2 and nothing made."""

import pickle
import shutil
import sys

import pytest
import torch
from command_line import rofit
from evaluated_runs import SPEC, trained

RUN = SPEC.run_id


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a run, trained once; nothing here may change it."""
    root = tmp_path_factory.mktemp("trained")
    trained(root)
    return root


def refused(home, *words, sentence=""):
    """Assert that the command is answered with one sentence and makes nothing."""
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    answer = rofit(home, "eval", *words)
    assert "Traceback" not in answer.out + answer.err
    assert answer.err.startswith("rofit: ") and answer.err.count("\n") == 1, answer.err
    assert answer.code == 2 and answer.out == ""
    assert sentence in answer.err, answer.err
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before


WRONG = {
    "nope": "no single run 'nope' in",
    "nope.pt": "there is no checkpoint nope.pt; rofit status lists the runs",
    "RUN --checkpoint epoch-0100": "there is no checkpoint",
    "RUN --attack pdg20": "unknown attack 'pdg20'; ",
    "RUN --attack pgd": "pgd needs its number of steps, at least 1: pgd20",
    "RUN --attack pgd0": "pgd needs its number of steps, at least 1: pgd20",
    "RUN --attack clean20": "clean takes no number, got 'clean20'",
    "RUN --attack square500x2": "restarts are for pgd and cw, at least 1",
    "RUN --attack pgd20x0": "restarts are for pgd and cw, at least 1",
    "RUN --attack fgsm --norm l2 --epsilon 0.5": "fgsm is an attack inside linf, not",
    "RUN --attack pgd20 --norm l2": "pgd20 needs a radius above 0: name one with --eps",
    "RUN --epsilon 8": "epsilon must be in [0, 1] (input units, linf), got 8; did you",
    "RUN --attack pgd20@8": "did you mean 8/255?",
    "RUN --epsilon -1": "epsilon must be in [0, 1] (input units, linf), got -1",
    "RUN --epsilon nan": "epsilon must be in [0, 1] (input units, linf), got nan",
    "RUN --epsilon 0": "needs a radius above 0",
    "RUN --epsilon 8/255,x": "epsilon must be a number or a fraction (8/255), got 'x'",
    "RUN --shard 5/4": "--shard expects K/N with K from 1 to N (1/4), got '5/4'",
    "RUN --shard 0/4": "--shard expects K/N",
    "RUN --shard 2": "--shard expects K/N",
    "RUN --shard 1/x": "--shard expects K/N",
    "RUN --n 65": "the run has 64 test images; --n must not be more, got 65",
    "RUN --attack transfer": "transfer needs the run to attack instead: --from RUN",
    "RUN --attack transfer --from nope": "no single run 'nope' in",
    "RUN --device gpu": "unknown device 'gpu'; did you mean cpu?",
    "RUN --engine fast": "unknown engine 'fast'",
    "RUN --max-minutes nan": "--max-minutes expects a number of minutes, got nan",
    "RUN --precision tf32": "--precision tf32 needs a GPU that has it (Ampere or later",
    "RUN --precision bf16": "",
    "RUN --n -1": "",
    "RUN --seed x": "",
    "RUN --batch-size -4": "",
    "RUN --attak pgd20": "",
    "": "",
}


def test_autoattack_without_its_library_is_one_sentence(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyautoattack", None)  # its import fails
    message = "square needs the package pyautoattack: pip install pyautoattack"
    refused(home, RUN, "--attack", "square9", sentence=message)


def test_autoattack_of_a_release_that_it_was_not_made_for_is_one_sentence(
    home, monkeypatch
):
    library = pytest.importorskip("pyautoattack")
    monkeypatch.delattr(library.autoattack.SquareAttack, "margin_and_loss")
    message = (
        f"square needs pyautoattack >=0.2,<0.3: version {library.__version__} has no "
        "square.margin_and_loss(x, y) that rofit relies on; pip install"
    )
    refused(home, RUN, "--attack", "square9", sentence=message)


@pytest.mark.parametrize("command", WRONG)
def test_wrong_input_is_answered_with_one_sentence(home, command):
    words = command.replace("RUN", RUN).split()
    refused(home, *words, sentence=WRONG[command])


def test_norm_that_is_none_is_called_unknown(home):
    sentence = "unknown norm 'l1'"
    refused(home, RUN, "--norm", "l1", "--epsilon", "0.5", sentence=sentence)


def test_images_that_are_not_there_are_refused_at_any_radius(home):
    refused(home, RUN, "--n", 10**9, "--attack", "pgd20@8/255", sentence="64 test")


NOT_READ = "cannot be read as a checkpoint of rofit: it is damaged, or of another"


def _write(path, whole, kind):
    if kind == "pickled":
        path.write_bytes(pickle.dumps({"spec": {}, "model": {}, "epoch": 1}))
    elif kind == "module":
        torch.save(torch.nn.Linear(2, 2), path)
    elif kind in ("list", "tensors"):
        torch.save([1] if kind == "list" else {"conv.weight": torch.zeros(2)}, path)
    else:
        cut = {"empty": 0, "short": 100, "half": len(whole) // 2}
        text = b"these are no weights\n"
        path.write_bytes(text if kind == "text" else whole[: cut.get(kind, -1)])


@pytest.mark.parametrize(
    "kind",
    [
        *("empty", "short", "half", "all but a byte", "list", "tensors"),
        *("text", "pickled", "module"),
    ],
)
def test_file_that_is_no_checkpoint_is_one_sentence(home, tmp_path, kind):
    whole = (home / "runs" / RUN / "checkpoints" / "last.pt").read_bytes()
    path = tmp_path / "given.pt"
    _write(path, whole, kind)
    refused(home, path, sentence=f"{path} {NOT_READ}")


def _wider(state):
    state["spec"]["width"] = 16


def _other_network(state):
    state["spec"]["model"] = "preact_resnet18"


def _fewer_classes(state):
    for name in ("classifier.weight", "classifier.bias"):
        state["model"][name] = state["model"][name][:7].clone()


def _lacking(state):
    del state["model"]["classifier.bias"]


def _no_field(state):
    state["spec"]["epoch"] = 3


def _no_weights(state):
    state["model"] = 3


def _no_spec(state):
    state["spec"] = 3


def _nan_bias(state):
    state["model"]["classifier.bias"][3] = torch.nan


def _infinite_variance(state):
    state["model"]["bn.running_var"][0] = torch.inf


WRONG_STATES = {
    _wider: "do not fit preact_small with 10 classes, which its spec names: size",
    _other_network: "do not fit preact_resnet18 with 10 classes",
    _fewer_classes: "do not fit preact_small with 10 classes, which its spec names",
    _lacking: "do not fit preact_small with 10 classes",
    _no_field: "unknown field of a run 'epoch'; did you mean epochs",
}
BROKEN = {
    _nan_bias: "are not finite: classifier.bias holds NaN or infinity",
    _infinite_variance: "are not finite: bn.running_var holds NaN or infinity",
}
UNLIKELY = {_no_weights: NOT_READ, _no_spec: NOT_READ}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        *WRONG_STATES.items(),
        *BROKEN.items(),
        *UNLIKELY.items(),
    ],
    ids=lambda argument: getattr(argument, "__name__", ""),
)
def test_checkpoint_that_does_not_fit_is_one_sentence(home, tmp_path, change, sentence):
    path = tmp_path / "given.pt"
    folder = home / "runs" / RUN / "checkpoints"
    state = torch.load(folder / "last.pt", weights_only=True)
    change(state)
    torch.save(state, path)
    refused(home, path, sentence=sentence)


def test_checkpoint_that_is_missing_is_said_before_another_is_evaluated(home, tmp_path):
    """Nothing is made before all is understood."""
    copy = shutil.copytree(home, tmp_path / "home")
    words = ("--checkpoint", "last", "--checkpoint", "nope", "--attack", "clean")
    refused(copy, RUN, *words, sentence="there is no checkpoint")
