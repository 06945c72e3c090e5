"""Runs of loops outside of rofit are evaluated by networks that their users build."""

import json
import sys

import pytest
import torch
from command_line import rofit as command
from torch import nn
from toy_problems import batch, conv_net

import rofit
from rofit.errors import UserError
from rofit.running.doctor import examine
from rofit.store.runs import RunStore
from rofit.watch import watch

X, Y = batch(40, n_classes=3)
X_TEST, Y_TEST = batch(30, n_classes=3, seed=1)
MEAN, STD = (0.4, 0.6), (0.2, 0.3)
QUIET = {"device": "cpu", "engine": "eager"}


class Pair(nn.Module):
    """Takes images that are normalised outside, and returns a dict."""

    def __init__(self, seed=0):
        super().__init__()
        self.net = conv_net(seed=seed)

    def forward(self, x):
        return {"h": x.flatten(1), "z": self.net(x)}


def normalised(x):
    return (x - torch.tensor(MEAN).view(1, -1, 1, 1)) / torch.tensor(STD).view(
        1, -1, 1, 1
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two epochs, and the network that it ended with."""
    root, net = tmp_path_factory.mktemp("runs"), Pair()
    watched = watch(
        net, train=(normalised(X), Y), test=(normalised(X_TEST), Y_TEST), epochs=2,
        eval_steps=2, epsilon=0.05, step_size=0.02, store=root, inputs=(MEAN, STD),
        logits="z", diagnostics=("gradient_norm",),
    )  # fmt: skip
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        loss = nn.functional.cross_entropy(net(normalised(X))["z"], Y)
        optimizer.zero_grad()
        loss.backward()
        watched.step(net(normalised(X)), Y, loss)
        optimizer.step()
        watched.epoch(lr=0.1)
    return root, net


def build():
    return Pair(seed=7), normalised(X_TEST), Y_TEST.numpy()


def test_run_has_the_accuracies_of_its_network_in_memory(trained):
    root, net = trained
    (run,) = RunStore(root).runs()
    attacks = ["clean", "pgd5", "apgd-ce"]
    options = {"attacks": attacks, "store": root, "network": build, **QUIET}
    table = rofit.evaluate(run.path.name, **options)
    assert table["done"].all() and set(table["checkpoint"]) == {"best", "last"}
    last = table[table["checkpoint"] == "last"]
    twin = rofit.evaluate(
        net, normalised(X_TEST), Y_TEST, "linf:0.05", attacks, inputs=(MEAN, STD),
        logits="z", step_size=0.02,
    )  # fmt: skip
    assert last["accuracy"].tolist() == twin["accuracy"].tolist()
    logs = rofit.load_logs(root)
    clean = logs[(logs["measured"] == "epoch_end") & (logs["split"] == "test")]
    clean = clean[(clean["metric"] == "accuracy") & (clean["attack"] == "none")]
    assert clean["value"].iloc[-1] == twin["accuracy"].iloc[0]
    evaluated = logs[logs["measured"] == "evaluation"]
    assert set(evaluated["attack"]) == {"none", "pgd5", "apgd-ce"}
    assert not list(examine(RunStore(root)))


FILE = """
import sys
sys.path[:0] = {path!r}
from test_watched_evaluation import build
"""


def test_command_takes_the_function_from_a_file(trained, tmp_path):
    (run,) = RunStore(trained[0]).runs()
    (tmp_path / "mine.py").write_text(FILE.format(path=sys.path))
    words = ["eval", run.path.name, "--store", str(trained[0]), "--attack", "clean"]
    done = command(tmp_path, *words, "--network", f"{tmp_path}/mine.py:build", "--json")
    assert done.code == 0, done.err
    assert len(json.loads(done.out)) == 4
    done = command(tmp_path, *words)
    assert done.code == 2
    assert "--network FILE.py:FUNCTION" in done.err


def other_images():
    return Pair(), normalised(X_TEST).flip(0), Y_TEST


def other_network():
    return conv_net(), normalised(X_TEST), Y_TEST


def nothing_else():
    return Pair()


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        ("", r"cannot build its network: name a function .*network FILE.py:FUNCTION"),
        (other_images, "the test images are not those that .* was watched on"),
        (other_network, "do not fit the network that was built"),
        (nothing_else, "must return network, images and classes"),
        ("mine", "named FILE.py:FUNCTION, of a file that is there, got 'mine'"),
        ("none.py:build", "of a file that is there, got 'none.py:build'"),
        (f"{__file__}:no_such", "has no function 'no_such'"),
        (f"{__file__}:MEAN", "has no function 'MEAN'"),
    ],
)
def test_network_that_is_not_the_runs_is_refused(trained, network, sentence):
    (run,) = RunStore(trained[0]).runs()
    with pytest.raises(UserError, match=sentence) as raised:
        rofit.evaluate(
            run.path.name, attacks="pgd9", store=trained[0], network=network, **QUIET
        )
    assert "--" not in str(raised.value)
