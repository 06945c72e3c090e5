"""A run that has learnt something, and what evaluates its checkpoints."""

from dataclasses import replace
from pathlib import Path

from torch import nn
from training_helpers import CPU, train

from rofit.evaluation.cases import read_cases
from rofit.progress import Meter
from rofit.running.checkpoints import load_checkpoint
from rofit.running.evaluator import Execution, evaluate_cases
from rofit.settings.recipes import RECIPES
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunFolder
from rofit.training.stop import Stop

# A second of training: 80 % of test digits are classified, PGD-20 leaves a third.
SPEC = (
    SCALES["smoke"]
    .apply(RECIPES["sgls"].apply(RunSpec()))
    .replace(label_noise=0.0, train_size=640, batch_size=32, lr=0.05)
    .replace(epsilon=0.15, step_size=0.05)
)


class Doubled(nn.Module):
    """A float64 net behind float32 images and logits: no rounding flips a verdict."""

    def __init__(self, net):
        super().__init__()
        self.net = net.double()

    def forward(self, x):
        """Return logits (B, K)."""
        return self.net(x.double()).float()


def trained(root, **changes):
    """Train the run under *root*, as one of a store; return its folder."""
    folder, done = train(SPEC.replace(**changes), root)
    assert done
    return folder


def load(folder, name="last"):
    """Return the network of one of the run's checkpoints."""
    path = folder.checkpoints / f"{name}.pt"
    return load_checkpoint(path, data=Path("nowhere"), device=CPU)


def doubled(folder):
    """Return the run's last network, computed in float64."""
    subject = load(folder)
    return replace(subject, network=Doubled(subject.network))


def how(**changes):
    """Return how to evaluate on the CPU without a limit and without a word."""

    def silent(label, left):
        return Meter(None, label, left)

    usual = {"device": CPU, "stop": Stop(), "meter": silent, "engine": "eager"}
    return Execution(**usual | changes)


def evaluated(subject, path, *names, n=16, **changes):
    """Evaluate under *path*; return the folder and whether all is done."""
    path.mkdir(parents=True, exist_ok=True)
    folder = RunFolder(path)
    cases = read_cases(names, subject.spec, n=n, n_classes=subject.n_classes)
    return folder, evaluate_cases(subject, folder, cases, how(**changes))
